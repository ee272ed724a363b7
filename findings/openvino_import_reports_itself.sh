#!/bin/sh
# openvino==2026.4.1 openvino-telemetry==2025.2.0, Linux x86_64, Python 3.11, 2026-11-27
#
# `import openvino` alone sends the event ("ov", "import", "general_import"), and once an identifier is stored in
# ~/intel/: nobody is asked, since the tools' question is switched off for it (`enable_opt_in_dialog=False`), and where no
# answer is stored, that counts as a yes. The package requires openvino-telemetry; where that cannot be imported, OpenVINO
# takes a stub and works as before. `opt_in_out --opt_out`, a program of the package, stores a no.
#
# Seen:  as it comes: event ('ov', 'import', 'general_import') consent: True
#        files: intel/openvino_ga_cid, intel/stats
#        without openvino_telemetry: no event, no file
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 openvino-telemetry==2025.2.0
mkdir "$work/with" "$work/without"
cat >"$work/listen.py" <<'END'
from openvino_telemetry.main import Telemetry

def heard(self, *event, **options):  # in place of sending it
    print("event", event[:3], "consent:", self.consent)

Telemetry.send_event = heard
import openvino
END
# The package stays silent where it believes to be in a CI, by variables such as these.
clean="env -u CI -u GITHUB_ACTIONS -u TF_BUILD -u JENKINS_HOME -u XDG_CACHE_HOME"
echo "as it comes:"
$clean HOME="$work/with" "$work/venv/bin/python" "$work/listen.py" | tee "$work/said"
(cd "$work/with" && find . -type f | sort)
grep -q "general_import.*consent: True" "$work/said"
test -n "$(find "$work/with" -type f)"
echo "without openvino_telemetry:"
$clean HOME="$work/without" "$work/venv/bin/python" -c "
import sys
sys.modules['openvino_telemetry'] = None
import openvino
print(openvino.Core().available_devices)"
test -z "$(find "$work/without" -type f)"
