/* ACPI fixed hardware: see acpi_pm.h. Registers are made of bytes: any access width works. */
#include "device/acpi_pm.h"

#include <string.h>

enum {
	PM1_STATUS_BITS = ACPI_PM1_TMR | ACPI_PM1_GBL | ACPI_PM1_PWRBTN | ACPI_PM1_SLPBTN |
			  ACPI_PM1_RTC | ACPI_PM1_WAK | 1 << 4,
	PM1_ENABLE_BITS =
		ACPI_PM1_TMR | ACPI_PM1_GBL | ACPI_PM1_PWRBTN | ACPI_PM1_SLPBTN | ACPI_PM1_RTC,
	PM1_CONTROL_BITS = 1 << 1 | 7 << 10, /* bus master reload, sleep type */
	SLP_EN_HIGH = ACPI_PM1_SLP_EN >> 8,
};

static unsigned acpi_pm_timer_bits(const struct acpi_pm *pm)
{
	return pm->timer_32bit ? 32 : 24;
}

/* TMR_STS is set whenever the counter's highest bit changes. */
static void acpi_pm_settle(struct acpi_pm *pm, uint64_t now_ns)
{
	uint64_t ticks = clock_ns_to_ticks(now_ns, ACPI_PM_TIMER_HZ);
	unsigned top = acpi_pm_timer_bits(pm) - 1;

	if (ticks >> top != pm->timer_seen >> top)
		pm->pm1_status |= ACPI_PM1_TMR;
	pm->timer_seen = ticks;
}

static void acpi_pm_update(struct acpi_pm *pm)
{
	bool event = (pm->pm1_status & pm->pm1_enable & PM1_ENABLE_BITS) ||
		     (pm->gpe_status & pm->gpe_enable);
	unsigned top = acpi_pm_timer_bits(pm) - 1;
	uint64_t next = ((pm->timer_seen >> top) + 1) << top;

	irq_line_set(&pm->sci, event && (pm->pm1_control & ACPI_PM1_SCI_EN));
	pm->due_ns = TIMER_NEVER;
	if ((pm->pm1_enable & ACPI_PM1_TMR) && !(pm->pm1_status & ACPI_PM1_TMR))
		pm->due_ns = clock_ticks_to_ns(next, ACPI_PM_TIMER_HZ);
	timer_set(pm->timerq, &pm->timer, pm->due_ns);
}

static void acpi_pm_fire(void *opaque, uint64_t now_ns)
{
	struct acpi_pm *pm = opaque;

	acpi_pm_settle(pm, now_ns);
	acpi_pm_update(pm);
}

/* The whole block as its 16 bytes read now. */
static void acpi_pm_image(struct acpi_pm *pm, uint8_t *image)
{
	uint32_t timer = (uint32_t)(pm->timer_seen & ((1ull << acpi_pm_timer_bits(pm)) - 1));

	memset(image, 0, ACPI_PM_LEN);
	memcpy(image + ACPI_PM1_EVT, &pm->pm1_status, 2);
	memcpy(image + ACPI_PM1_EVT + 2, &pm->pm1_enable, 2);
	memcpy(image + ACPI_PM1_CNT, &pm->pm1_control, 2);
	memcpy(image + ACPI_PM_TMR, &timer, 4);
	memcpy(image + ACPI_GPE0, &pm->gpe_status, 2);
	memcpy(image + ACPI_GPE0 + 2, &pm->gpe_enable, 2);
}

static uint64_t acpi_pm_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct acpi_pm *pm = opaque;
	uint8_t image[ACPI_PM_LEN + 8] = {0};
	uint64_t v = 0;

	if (offset >= ACPI_PM_LEN || bytes > 8)
		return UINT32_MAX;
	acpi_pm_settle(pm, clock_now(pm->clock));
	acpi_pm_image(pm, image);
	acpi_pm_update(pm);
	memcpy(&v, image + offset, bytes);
	return v;
}

/* Replace one byte of a 16-bit register, within mask. */
static uint16_t put_byte(uint16_t reg, uint16_t mask, unsigned high, uint8_t v)
{
	mask &= (uint16_t)(0xff << 8 * high);
	return (uint16_t)((reg & ~mask) | ((v << 8 * high) & mask));
}

static void acpi_pm_write_control(struct acpi_pm *pm, unsigned high, uint8_t v)
{
	pm->pm1_control = put_byte(pm->pm1_control, PM1_CONTROL_BITS, high, v);
	/* SLP_TYP and SLP_EN are in one byte. */
	if (!high || !(v & SLP_EN_HIGH))
		return;
	TRACE(pm->trace, TRACE_ACPI, "acpi: sleep type %d", pm->pm1_control >> 10 & 7);
	if ((pm->pm1_control >> 10 & 7) == ACPI_S5_TYPE && pm->poweroff)
		pm->poweroff(pm->opaque);
}

static void acpi_pm_write_byte(struct acpi_pm *pm, unsigned offset, uint8_t v)
{
	unsigned high = offset & 1;

	switch (offset & ~1u) {
	case ACPI_PM1_EVT:
		pm->pm1_status &= (uint16_t) ~((v << 8 * high) & PM1_STATUS_BITS);
		break;
	case ACPI_PM1_EVT + 2:
		pm->pm1_enable = put_byte(pm->pm1_enable, PM1_ENABLE_BITS, high, v);
		break;
	case ACPI_PM1_CNT:
		acpi_pm_write_control(pm, high, v);
		break;
	case ACPI_GPE0:
		pm->gpe_status &= (uint16_t) ~(v << 8 * high);
		break;
	case ACPI_GPE0 + 2:
		pm->gpe_enable = put_byte(pm->gpe_enable, 0xffff, high, v);
		break;
	}
}

static void acpi_pm_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct acpi_pm *pm = opaque;

	acpi_pm_settle(pm, clock_now(pm->clock));
	for (unsigned i = 0; i < bytes && offset + i < ACPI_PM_LEN; i++)
		acpi_pm_write_byte(pm, (unsigned)offset + i, (uint8_t)(value >> 8 * (i & 7)));
	acpi_pm_update(pm);
}

/* ---- SMI command port: the two commands firmware would have handled */

static uint64_t acpi_smi_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct acpi_pm *pm = opaque;

	return offset & 1 ? pm->smi_data : pm->smi_cmd;
}

static void acpi_smi_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct acpi_pm *pm = opaque;

	if (offset & 1) {
		pm->smi_data = (uint8_t)value;
		return;
	}
	pm->smi_cmd = (uint8_t)value;
	if (pm->smi_cmd == ACPI_SMI_ENABLE)
		pm->pm1_control |= ACPI_PM1_SCI_EN;
	else if (pm->smi_cmd == ACPI_SMI_DISABLE)
		pm->pm1_control &= (uint16_t)~ACPI_PM1_SCI_EN;
	acpi_pm_update(pm);
}

void acpi_pm_enable(struct acpi_pm *pm)
{
	pm->pm1_control |= ACPI_PM1_SCI_EN;
	acpi_pm_update(pm);
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
	pm->pm1_status |= ACPI_PM1_PWRBTN;
	acpi_pm_update(pm);
}

void acpi_pm_gpe(struct acpi_pm *pm, unsigned n)
{
	if (n > 15)
		return;
	pm->gpe_status |= (uint16_t)(1u << n);
	acpi_pm_update(pm);
}

void acpi_pm_reset(void *acpi_pm)
{
	struct acpi_pm *pm = acpi_pm;

	pm->pm1_status = pm->pm1_enable = pm->pm1_control = 0;
	pm->gpe_status = pm->gpe_enable = 0;
	pm->smi_cmd = pm->smi_data = 0;
	pm->timer_seen = clock_ns_to_ticks(clock_now(pm->clock), ACPI_PM_TIMER_HZ);
	acpi_pm_update(pm);
}

void acpi_pm_init(struct acpi_pm *pm, struct irq_line sci, const struct clock *clock,
		  struct timerq *timerq, void (*poweroff)(void *opaque), void *opaque)
{
	memset(pm, 0, sizeof(*pm));
	pm->sci = sci;
	pm->clock = clock;
	pm->timerq = timerq;
	pm->poweroff = poweroff;
	pm->opaque = opaque;
	timer_init(&pm->timer, acpi_pm_fire, pm);
	acpi_pm_reset(pm);
}

static void acpi_pm_after_restore(void *acpi_pm)
{
	acpi_pm_update(acpi_pm);
}

const struct io_ops acpi_pm_io_ops = {acpi_pm_read, acpi_pm_write, 4};
const struct io_ops acpi_smi_io_ops = {acpi_smi_read, acpi_smi_write, 1};

static const struct field acpi_pm_fields[] = {
	FIELD(struct acpi_pm, pm1_status),  FIELD(struct acpi_pm, pm1_enable),
	FIELD(struct acpi_pm, pm1_control), FIELD(struct acpi_pm, gpe_status),
	FIELD(struct acpi_pm, gpe_enable),  FIELD(struct acpi_pm, smi_cmd),
	FIELD(struct acpi_pm, smi_data),    FIELD(struct acpi_pm, timer_seen),
	FIELD(struct acpi_pm, due_ns),	    FIELD_END,
};

const struct device_desc acpi_pm_desc = {
	.name = "acpi-pm",
	.text = "ACPI fixed hardware",
	.state_bytes = sizeof(struct acpi_pm),
	.fields = acpi_pm_fields,
	.reset = acpi_pm_reset,
	.after_restore = acpi_pm_after_restore,
};
