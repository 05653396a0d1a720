#!/bin/sh
# Installs what is missing, builds with warnings as errors, and runs every test that needs no GPU.
set -eu
cd "$(dirname "$0")"
setup/install_packages.sh
cmake --preset ci
cmake --build --preset ci
ctest --preset ci
