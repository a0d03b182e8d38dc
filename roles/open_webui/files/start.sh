#!/usr/bin/env bash
# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The container's entrypoint: takes the secrets from a file, so that none is in the container's settings.
set -eu
. /run/selfhosted-llm/environment
if [ -f /run/selfhosted-llm/ca.pem ]; then
    # Each of these variables replaces the public bundle, so that is put in front of the private CA.
    bundle=/tmp/selfhosted-llm-ca.pem
    cat "$(python3 -c 'import certifi; print(certifi.where())')" /run/selfhosted-llm/ca.pem > "$bundle"
    export SSL_CERT_FILE="$bundle" REQUESTS_CA_BUNDLE="$bundle" AIOHTTP_CLIENT_SSL_CERT_FILE="$bundle"
fi
exec "$@"
