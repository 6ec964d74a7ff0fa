# Sourced by the commands beside it: makes .venv with what the project needs, once for each pyproject.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

make_environment() { # make_environment EXTRA
    local extra="$1" stamp=".venv/made-for-$1"
    if [[ ! -f "$stamp" || pyproject.toml -nt "$stamp" ]]; then
        [[ -x .venv/bin/python ]] || "${PYTHON:-python3}" -m venv .venv || {
            echo "python3 -m venv failed: on Debian, apt install python3-venv" >&2
            return 1
        }
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$extra"
        touch "$stamp"
    fi
}
