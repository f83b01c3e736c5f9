/* Every device model, in the order of their names. */
#include "device/device.h"
#include "device/acpi_pm.h"
#include "device/acpi_sleep.h"
#include "device/debug_port.h"
#include "device/e1000.h"
#include "device/hpet.h"
#include "device/i8042.h"
#include "device/i8254.h"
#include "device/i8259.h"
#include "device/ide.h"
#include "device/ioapic.h"
#include "device/kvmclock.h"
#include "device/lapic.h"
#include "device/mc146818.h"
#include "device/pci/msix.h"
#include "device/pci/pci.h"
#include "device/reset_port.h"
#include "device/uart16550.h"
#include "device/virtio/virtio_mmio.h"
#include "device/virtio/virtio_pci.h"

/* clang-format off */
const struct device_desc *const device_registry[] = {
	&acpi_pm_desc,
	&acpi_sleep_desc,
	&debug_console_desc,
	&debug_exit_desc,
	&e1000_desc,
	&hpet_desc,
	&i8042_desc,
	&i8254_desc,
	&i8259_desc,
	&ide_desc,
	&ioapic_desc,
	&kvmclock_desc,
	&lapic_desc,
	&mc146818_desc,
	&msix_desc,
	&pci_function_desc,
	&pci_host_desc,
	&reset_port_desc,
	&uart_desc,
	&virtio_device_desc,
	&virtio_mmio_desc,
	&virtio_pci_desc,
	&virtqueue_desc,
	NULL,
};
/* clang-format on */
