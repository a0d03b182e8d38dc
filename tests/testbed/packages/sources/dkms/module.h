/* Copyright (c) 2026, selfhosted.llm contributors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */

/* What modinfo reads in a module. The licence tells the open modules from the proprietary ones. */
#include <linux/vermagic.h>

#define INFO(tag, text) \
	static const char tag##_info[] __attribute__((section(".modinfo"), used, aligned(1))) = #tag "=" text

INFO(version, "@VERSION@");
INFO(license, "@LICENSE@");
INFO(vermagic, VERMAGIC);
