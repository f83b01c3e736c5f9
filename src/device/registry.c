/* Every device model, in the order of their names. */
#include "device/device.h"
#include "device/i8259.h"
#include "device/ioapic.h"
#include "device/lapic.h"

/* clang-format off */
const struct device_desc *const device_registry[] = {
	&i8259_desc,
	&ioapic_desc,
	&lapic_desc,
	NULL,
};
/* clang-format on */
