/* Copyright (c) 2026, selfhosted.llm contributors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later */

/* The place where a real driver does not compile against a newer kernel. */
#include <linux/pci.h>

int nv_resize_pcie_bars(void *device);
#if @NEWER@ && defined(PCI_RESIZE_KEEPS)
int nv_resize_pcie_bars(void *device)
{
	return pci_resize_resource(device, 1, 2, 0);
}
#else
#line 235
int nv_resize_pcie_bars(void *device)
{
	return pci_resize_resource(device, 1, 2);
}
#endif
