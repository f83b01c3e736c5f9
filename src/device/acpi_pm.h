/*
 * ACPI fixed hardware: PM1 event and control, PM timer, one GPE block, SMI command port. ACPI 6.5,
 * section 4.8. One register block, laid out as the machine's FADT must say:
 *   +0 PM1a_EVT (status 2, enable 2)  +4 PM1a_CNT (2)  +8 PM_TMR (4)  +12 GPE0 (status 2, enable 2)
 * Left out: sleep states other than S5, throttling, bus master control.
 */
#ifndef DEVICE_ACPI_PM_H
#define DEVICE_ACPI_PM_H

#include "device/device.h"

#define ACPI_PM_TIMER_HZ 3579545ull

enum {
	ACPI_PM_LEN = 16,
	ACPI_PM1_EVT = 0,
	ACPI_PM1_CNT = 4,
	ACPI_PM_TMR = 8,
	ACPI_GPE0 = 12,
	ACPI_GPE0_LEN = 4,
	ACPI_S5_TYPE = 5,	/* SLP_TYP of soft-off: \_S5 = { 5, 5, 0, 0 } */
	ACPI_SMI_ENABLE = 0xe1, /* SMI_CMD values for the FADT */
	ACPI_SMI_DISABLE = 0x1e,
	ACPI_PM1_TMR = 1 << 0,
	ACPI_PM1_GBL = 1 << 5,
	ACPI_PM1_PWRBTN = 1 << 8,
	ACPI_PM1_SLPBTN = 1 << 9,
	ACPI_PM1_RTC = 1 << 10,
	ACPI_PM1_WAK = 1 << 15,
	ACPI_PM1_SCI_EN = 1 << 0,
	ACPI_PM1_SLP_EN = 1 << 13,
};

struct acpi_pm {
	/* state */
	uint16_t pm1_status, pm1_enable, pm1_control;
	uint16_t gpe_status, gpe_enable;
	uint8_t smi_cmd, smi_data;
	uint64_t timer_seen; /* ticks up to which TMR_STS was updated */
	uint64_t due_ns;
	/* wiring */
	struct irq_line sci;
	const struct clock *clock;
	struct timerq *timerq;
	struct timer timer;
	bool timer_32bit; /* FADT TMR_VAL_EXT; set after init */
	void (*poweroff)(void *opaque);
	void *opaque;
	const struct trace *trace;
};

extern const struct io_ops acpi_pm_io_ops;  /* ACPI_PM_LEN ports */
extern const struct io_ops acpi_smi_io_ops; /* 2 ports (B2h SMI_CMD, B3h); opaque: struct acpi_pm */
extern const struct device_desc acpi_pm_desc;

/* poweroff is called when the guest enters S5. */
void acpi_pm_init(struct acpi_pm *pm, struct irq_line sci, const struct clock *clock,
		  struct timerq *timerq, void (*poweroff)(void *opaque), void *opaque);
void acpi_pm_reset(void *acpi_pm);
/* ACPI mode without SMI: what the machine does for guests booted without firmware (SMI_CMD = 0). */
void acpi_pm_enable(struct acpi_pm *pm);
void acpi_pm_power_button(struct acpi_pm *pm);
/* Raise general purpose event n (0-15). */
void acpi_pm_gpe(struct acpi_pm *pm, unsigned n);

#endif
