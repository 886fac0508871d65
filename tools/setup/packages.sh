#!/bin/sh
# Checks that the Debian packages of the named sections of packages/debian.txt are installed. As
# root it installs those that are missing; otherwise it prints the one command that does.
#
# Usage: packages.sh SECTION...
# Exit status: 0 all there, 1 something is missing or could not be installed, 2 wrong usage.
set -eu

list=$(dirname "$0")/../../packages/debian.txt

if [ $# -eq 0 ]; then
	echo "usage: packages.sh SECTION... (the sections of packages/debian.txt)" >&2
	exit 2
fi

# Prints the packages of section $1, one a line.
section() {
	sed -n "/^\[$1\]\$/,/^\[/p" "$list" | sed -e '/^\[/d' -e '/^#/d' -e '/^[[:space:]]*$/d'
}

wanted=
for name in "$@"; do
	packages=$(section "$name")
	if [ -z "$packages" ]; then
		echo "packages.sh: packages/debian.txt has no section [$name]" >&2
		exit 2
	fi
	wanted="$wanted $packages"
done

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "packages.sh: no dpkg here, so nothing was checked; packages/debian.txt names what is" \
		"needed by its Debian names" >&2
	exit 0
fi

# shellcheck disable=SC2086 # the list is split on purpose
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
	sed -n 's/^installed //p') || true
missing=
for package in $wanted; do
	printf '%s\n' "$installed" | grep -qxF -- "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ]; then
	echo "Packages are missing. Install them by this command, then run make again:" >&2
	echo "sudo sh -c 'apt-get update && $command'" >&2
	exit 1
fi

echo "Installing the missing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The package lists may be old or absent on a fresh machine.
if ! { apt-get update && $command; } </dev/null >"$log" 2>&1; then
	tail -n 15 "$log" >&2
	echo "packages.sh: apt-get could not install the packages above; its last lines say why" >&2
	exit 1
fi
