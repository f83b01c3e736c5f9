/* Every device model, in the order of their names. */
#include "device/device.h"

/* clang-format off */
const struct device_desc *const device_registry[] = {
	NULL,
};
/* clang-format on */
