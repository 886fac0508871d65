#!/bin/sh
# Copies OpenVINO's libraries and licences from the private folder $1 into the prefix that Meson
# installs to. An installed program looks for them in ../lib/vrseg.
set -eu

source=$1/openvino
prefix=$MESON_INSTALL_DESTDIR_PREFIX
if [ ! -f "$source/.stamp" ]; then
	echo "OpenVINO is not installed along, as $source is missing: run \`make setup\` first" >&2
	exit 0
fi
install -d "$prefix/lib/vrseg" "$prefix/share/doc/vrseg/openvino/licensing"
install -m 644 "$source"/lib/* "$prefix/lib/vrseg/"
install -m 644 "$source/licenses/LICENSE" "$prefix/share/doc/vrseg/openvino/"
install -m 644 "$source"/licenses/licensing/* "$prefix/share/doc/vrseg/openvino/licensing/"
