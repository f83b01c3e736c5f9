/* Every device model, in the order of their names. */
#include "device/device.h"
#include "device/i8254.h"
#include "device/i8259.h"
#include "device/ioapic.h"
#include "device/lapic.h"
#include "device/mc146818.h"
#include "device/uart16550.h"

/* clang-format off */
const struct device_desc *const device_registry[] = {
	&i8254_desc,
	&i8259_desc,
	&ioapic_desc,
	&lapic_desc,
	&mc146818_desc,
	&uart_desc,
	NULL,
};
/* clang-format on */
