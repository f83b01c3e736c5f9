/*
 * Sleep control and status registers of hardware-reduced ACPI: ACPI 6.5, 4.8.3.7. Soft-off only;
 * what else is asked for is never entered.
 */
#ifndef DEVICE_ACPI_SLEEP_H
#define DEVICE_ACPI_SLEEP_H

#include "device/device.h"

enum {
	ACPI_SLEEP_LEN = 2,
	ACPI_SLEEP_CONTROL = 0,
	ACPI_SLEEP_STATUS = 1,
	ACPI_SLEEP_ENABLE = 1 << 5,
	ACPI_SLEEP_TYPE_SHIFT = 2,
	ACPI_SLEEP_S5 = 5, /* type of soft-off */
};

struct acpi_sleep {
	uint8_t type; /* as last written */
	/* wiring */
	void (*poweroff)(void *opaque);
	void *opaque;
};

extern const struct io_ops acpi_sleep_io_ops; /* ACPI_SLEEP_LEN ports */
extern const struct device_desc acpi_sleep_desc;

void acpi_sleep_init(struct acpi_sleep *s, void (*poweroff)(void *opaque), void *opaque);

#endif
