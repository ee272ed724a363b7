#!/bin/sh
# onnxruntime==1.32.0, Linux x86_64, Python 3.11, 2026-11-27
#
# `import onnxruntime` alone creates ~/.cache/Microsoft/DeveloperTools/.onnxruntime/ with a persistent `deviceid` and a
# SQLite queue of events: since its releases for Linux have the telemetry of Windows built in, it is on by default.
# `onnxruntime.disable_telemetry_events()` can only be called after that. The variable ORT_DISABLE_TELEMETRY=1, set
# before the import, prevents all of it.
#
# Seen:  as it comes: .cache/Microsoft/DeveloperTools/.onnxruntime/deviceid and onnxruntime.db
#        with ORT_DISABLE_TELEMETRY=1: nothing
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0
mkdir "$work/with" "$work/without"
echo "as it comes:"
env -u ORT_DISABLE_TELEMETRY -u XDG_CACHE_HOME HOME="$work/with" "$work/venv/bin/python" -c "import onnxruntime"
(cd "$work/with" && find . -type f | sort)
echo "with ORT_DISABLE_TELEMETRY=1:"
env -u XDG_CACHE_HOME HOME="$work/without" ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" -c "import onnxruntime"
(cd "$work/without" && find . -type f | sort)
test -f "$work/with/.cache/Microsoft/DeveloperTools/.onnxruntime/deviceid"
test -z "$(find "$work/without" -type f)"
