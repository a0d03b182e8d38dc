/* Copyright (c) 2026, selfhosted.llm contributors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loaded into every program of the host, so that they see the kernel of /etc/running-kernel running.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *name) {
    int result = syscall(SYS_uname, name);
    FILE *file = result == 0 ? fopen("/etc/running-kernel", "re") : NULL;
    if (file) {
        if (fgets(name->release, sizeof name->release, file))
            name->release[strcspn(name->release, "\n")] = 0;
        fclose(file);
    }
    return result;
}
