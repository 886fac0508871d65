#!/bin/sh
# Copies the libraries and licences of OpenVINO and ONNX Runtime from the private folder $1 into the
# prefix that Meson installs to. An installed program looks for them in ../lib/vrseg.
set -eu

prefix=$MESON_INSTALL_DESTDIR_PREFIX

# That with GPU providers, where there is one, has the CPU's, too.
runtime=$1/onnxruntime-gpu
[ -f "$runtime/.stamp" ] || runtime=$1/onnxruntime
if [ -f "$runtime/.stamp" ]; then
	install -d "$prefix/lib/vrseg" "$prefix/share/doc/vrseg/onnxruntime"
	install -m 644 "$runtime"/lib/* "$prefix/lib/vrseg/"
	install -m 644 "$runtime"/licenses/* "$prefix/share/doc/vrseg/onnxruntime/"
else
	echo "ONNX Runtime is not installed along, as $runtime is missing" >&2
fi

source=$1/openvino
if [ ! -f "$source/.stamp" ]; then
	echo "OpenVINO is not installed along, as $source is missing: run \`make setup\` first" >&2
	exit 0
fi
install -d "$prefix/lib/vrseg" "$prefix/share/doc/vrseg/openvino/licensing"
install -m 644 "$source"/lib/* "$prefix/lib/vrseg/"
install -m 644 "$source/licenses/LICENSE" "$prefix/share/doc/vrseg/openvino/"
install -m 644 "$source"/licenses/licensing/* "$prefix/share/doc/vrseg/openvino/licensing/"
