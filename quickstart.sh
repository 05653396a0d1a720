#!/bin/sh
# Installs what is missing, builds, and runs scenarios/quickstart.yaml on this machine.
set -eu
cd "$(dirname "$0")"
setup/install_packages.sh
cmake --preset release
cmake --build --preset release
build/release/inferometer run scenarios/quickstart.yaml
