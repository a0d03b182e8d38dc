#!/usr/bin/env bash
# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Starts the server as the start.sh of the original image does, as far as a role can tell: the key that signs
# sessions comes from the environment, else from a file, which is made when it is not there.
cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit

if [ -z "${WEBUI_SECRET_KEY}${WEBUI_JWT_SECRET_KEY}" ]; then
    key_file="${WEBUI_SECRET_KEY_FILE:-.webui_secret_key}"
    echo "Loading WEBUI_SECRET_KEY from file, not provided as an environment variable."
    if ! [ -e "${key_file}" ]; then
        echo "Generating WEBUI_SECRET_KEY"
        head -c 12 /dev/random | base64 > "${key_file}"
    fi
    echo "Loading WEBUI_SECRET_KEY from ${key_file}"
    WEBUI_SECRET_KEY="$(cat "${key_file}")"
fi
export WEBUI_SECRET_KEY

if [ "$#" -eq 0 ]; then
    set -- --workers "${UVICORN_WORKERS:-1}"
fi
exec python3 -m uvicorn open_webui.main:app --host "${HOST:-0.0.0.0}" --port "${PORT:-8080}" \
    --forwarded-allow-ips "${FORWARDED_ALLOW_IPS:-*}" "$@"
