# System packages only (apt on Debian 12 and Ubuntu 24.04); nothing is fetched at configure time.
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)  # 0.7 names its target without a namespace
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
find_package(Boost REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)

# Errors as values: tl::expected where it is installed, std::expected (C++23) elsewhere.
find_path(INFEROMETER_TL_EXPECTED tl/expected.hpp)
if(INFEROMETER_TL_EXPECTED)
  target_compile_features(inferometer_options INTERFACE cxx_std_20)
else()
  target_compile_features(inferometer_options INTERFACE cxx_std_23)
endif()

# oneDNN is the CPU backend's matrix library; without it the backend is left out and `doctor` says so. Looked
# for by hand: the package file that Debian ships asks for OpenCL, which nothing here uses.
find_path(INFEROMETER_DNNL_INCLUDE oneapi/dnnl/dnnl.hpp)
find_library(INFEROMETER_DNNL_LIBRARY dnnl)
if(INFEROMETER_DNNL_INCLUDE AND INFEROMETER_DNNL_LIBRARY)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${INFEROMETER_DNNL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${INFEROMETER_DNNL_INCLUDE})
endif()
find_package(OpenMP COMPONENTS CXX QUIET)
