# inferometer_library(NAME SOURCES ... HEADERS ... DEPENDS ... LINKS ...)
#
# A folder is one library. DEPENDS is the only list of arrows between folders: it is written to
# arrows.txt, which a test holds every #include to. LINKS are third-party targets.
# Each header must compile alone (target all_verify_interface_header_sets).
set_property(GLOBAL PROPERTY INFEROMETER_ARROWS "")

function(inferometer_library name)
  cmake_parse_arguments(LIB "" "" "SOURCES;HEADERS;DEPENDS;LINKS" ${ARGN})
  set(target inferometer_${name})
  if(LIB_SOURCES)
    add_library(${target} STATIC ${LIB_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${LIB_HEADERS})
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  list(TRANSFORM LIB_DEPENDS PREPEND inferometer_ OUTPUT_VARIABLE depends)
  target_link_libraries(${target} ${scope} inferometer_options ${depends} ${LIB_LINKS})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  inferometer_arrows(${folder} ${name} ${LIB_DEPENDS})
endfunction()

# Notes arrows of a library, also of one, or of a part of one, that this build leaves out: the sources that are
# not compiled are held to them too.
function(inferometer_arrows folder name)
  string(JOIN " " arrows ${folder} ${name} ${ARGN})
  set_property(GLOBAL APPEND_STRING PROPERTY INFEROMETER_ARROWS "${arrows}\n")
endfunction()
