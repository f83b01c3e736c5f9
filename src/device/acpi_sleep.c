/* Sleep control and status registers: see acpi_sleep.h. */
#include "device/acpi_sleep.h"

enum { TYPE_MASK = 7 };

static uint64_t sleep_read(void *opaque, uint64_t offset, unsigned bytes)
{
	const struct acpi_sleep *s = opaque;

	/* the enable bit reads as 0, and so does the status: never woken from sleep */
	return offset == ACPI_SLEEP_CONTROL ? s->type << ACPI_SLEEP_TYPE_SHIFT : 0;
}

static void sleep_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct acpi_sleep *s = opaque;

	if (offset != ACPI_SLEEP_CONTROL)
		return;
	s->type = value >> ACPI_SLEEP_TYPE_SHIFT & TYPE_MASK;
	if ((value & ACPI_SLEEP_ENABLE) && s->type == ACPI_SLEEP_S5 && s->poweroff)
		s->poweroff(s->opaque);
}

static void sleep_reset(void *acpi_sleep)
{
	struct acpi_sleep *s = acpi_sleep;

	s->type = 0;
}

void acpi_sleep_init(struct acpi_sleep *s, void (*poweroff)(void *opaque), void *opaque)
{
	s->poweroff = poweroff;
	s->opaque = opaque;
	sleep_reset(s);
}

const struct io_ops acpi_sleep_io_ops = {sleep_read, sleep_write, 1};

static const struct field sleep_fields[] = {
	FIELD(struct acpi_sleep, type),
	FIELD_END,
};

const struct device_desc acpi_sleep_desc = {
	.name = "acpi-sleep",
	.text = "sleep control of hardware-reduced ACPI",
	.state_bytes = sizeof(struct acpi_sleep),
	.fields = sleep_fields,
	.reset = sleep_reset,
};
