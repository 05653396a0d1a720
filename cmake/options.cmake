# How everything here is compiled. One interface library, so that no global standard leaks into CUDA
# (CMake < 3.26 does not know C++20 for nvcc 13).
option(INFEROMETER_WERROR "Treat warnings as errors" OFF)
option(INFEROMETER_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_program(INFEROMETER_CCACHE ccache)
if(INFEROMETER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${INFEROMETER_CCACHE})
endif()

add_library(inferometer_options INTERFACE)
target_include_directories(inferometer_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(inferometer_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  # Designated initialisers are there to leave fields out.
                                -Wno-missing-field-initializers>
  # g++ 12 and 13 warn of overlaps inside std::string operator+ (GCC bug 105651).
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>
  # No fused multiply-add behind our back: the same bytes on every machine.
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
if(INFEROMETER_WERROR)
  target_compile_options(inferometer_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(INFEROMETER_SANITIZE)
  target_compile_options(inferometer_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                                       -fno-omit-frame-pointer)
  target_link_options(inferometer_options INTERFACE -fsanitize=address,undefined)
endif()
