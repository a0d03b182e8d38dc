#!/bin/sh
# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What a dry run and a refused run must leave as it is: packages, holds, configuration, kernel modules, containers and services.
dpkg-query --show
apt-mark showhold
find /etc /boot /usr/src /var/lib/dkms /lib/modules/ -xdev -type f -not -path '/etc/testbed/*' -exec md5sum {} + 2> /dev/null | sort -k 2
ls /sys/module | grep -e nvidia -e nouveau
cat /proc/sys/kernel/random/boot_id
systemctl list-units --plain --no-legend --type=service --state=running | awk '{ print $1 }' | grep -v -e '^session' -e '^user'
if command -v docker > /dev/null; then
    docker ps --all --quiet | xargs --no-run-if-empty docker inspect --format 'container {{.Name}} {{.State.StartedAt}} {{.State.Pid}}'
    # The runtimes come in another order each time.
    docker info 2> /dev/null | grep -v '^ Runtimes:' | sed 's/^/docker info:/'
    docker info --format '{{range $name, $_ := .Runtimes}}{{println "runtime" $name}}{{end}}' | sort
    sed 's/^/daemon.json:/' /etc/docker/daemon.json
fi
