/* 16550A: see uart16550.h. Register and bit names as in the PC16550D datasheet. */
#include "device/uart16550.h"

#include <string.h>

enum {
	REG_DATA = 0, /* RBR, THR; DLAB: divisor low */
	REG_IER = 1,  /* DLAB: divisor high */
	REG_IIR = 2,  /* write: FCR */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
	IIR_NONE = 1,
	IIR_MODEM = 0,
	IIR_THRE = 2,
	IIR_RDA = 4,
	IIR_LINE = 6,
	IIR_TIMEOUT = 12,
	IIR_FIFOS = 0xc0,
	MSR_DELTA = 0x0f,
	MSR_TERI = 1 << 2,
	MSR_CONNECTED = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD,
	CLOCK_HZ = 1843200,
};

static bool uart_fifos(const struct uart *u)
{
	return u->fcr & UART_FCR_ENABLE;
}

static unsigned uart_depth(const struct uart *u)
{
	return uart_fifos(u) ? UART_FIFO_BYTES : 1;
}

static unsigned uart_trigger(const struct uart *u)
{
	static const uint8_t level[4] = {1, 4, 8, 14};

	return uart_fifos(u) ? level[u->fcr >> 6] : 1;
}

/* The pending interrupt of highest priority, as IIR bits 3-0. */
static unsigned uart_interrupt(const struct uart *u)
{
	if ((u->ier & UART_IER_LINE) && (u->lsr & UART_LSR_OE))
		return IIR_LINE;
	if ((u->ier & UART_IER_RDA) && u->rx_count >= uart_trigger(u))
		return IIR_RDA;
	if ((u->ier & UART_IER_RDA) && u->timeout_pending)
		return IIR_TIMEOUT;
	if ((u->ier & UART_IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & UART_IER_MODEM) && (u->msr & MSR_DELTA))
		return IIR_MODEM;
	return IIR_NONE;
}

/* On the PC, OUT2 connects the interrupt output to the bus. */
static void uart_update(struct uart *u)
{
	irq_line_set(&u->irq, uart_interrupt(u) != IIR_NONE && (u->mcr & UART_MCR_OUT2));
}

/* Four character times after the last touch of a FIFO that is not empty, say so. */
static void uart_timeout_arm(struct uart *u)
{
	uint64_t divisor = u->divisor ? u->divisor : 0x10000;
	/* start, 5-8 data, parity, 1-2 stop bits; 16 clocks each */
	unsigned bits = 7 + (u->lcr & 3) + (u->lcr >> 2 & 1) + (u->lcr >> 3 & 1);

	u->timeout_pending = 0;
	u->timeout_ns = TIMER_NEVER;
	if (uart_fifos(u) && u->rx_count)
		u->timeout_ns =
			clock_now(u->clock) + clock_ticks_to_ns(4 * 16 * bits * divisor, CLOCK_HZ);
	timer_set(u->timerq, &u->timer, u->timeout_ns);
}

static void uart_fire(void *opaque, uint64_t now_ns)
{
	struct uart *u = opaque;

	u->timeout_ns = TIMER_NEVER;
	u->timeout_pending = u->rx_count != 0;
	uart_update(u);
}

static void uart_rx_clear(struct uart *u)
{
	u->rx_head = u->rx_count = 0;
	u->lsr &= (uint8_t)~UART_LSR_DR;
	uart_timeout_arm(u);
}

static void uart_rx_push(struct uart *u, uint8_t byte)
{
	if (u->rx_count >= uart_depth(u)) {
		u->lsr |= UART_LSR_OE;
		return;
	}
	u->rx[(u->rx_head + u->rx_count++) % UART_FIFO_BYTES] = byte;
	u->lsr |= UART_LSR_DR;
}

static uint8_t uart_rx_pop(struct uart *u)
{
	uint8_t byte = u->rx[u->rx_head % UART_FIFO_BYTES];

	if (!u->rx_count)
		return 0;
	u->rx_head = (u->rx_head + 1) % UART_FIFO_BYTES;
	if (!--u->rx_count)
		u->lsr &= (uint8_t)~UART_LSR_DR;
	uart_timeout_arm(u);
	return byte;
}

size_t uart_input(struct uart *u, const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	if (u->mcr & UART_MCR_LOOP)
		return 0;
	while (n < len && u->rx_count < uart_depth(u))
		uart_rx_push(u, bytes[n++]);
	if (n)
		uart_timeout_arm(u);
	uart_update(u);
	return n;
}

static void uart_input_wanted(struct uart *u)
{
	if (!u->rx_count && !(u->mcr & UART_MCR_LOOP) && u->input_wanted)
		u->input_wanted(u->input_opaque);
}

static void uart_transmit(struct uart *u, uint8_t byte)
{
	TRACE(u->trace, TRACE_UART, "uart: out %#04x", byte);
	if (u->mcr & UART_MCR_LOOP) {
		uart_rx_push(u, byte);
		uart_timeout_arm(u);
	} else if (u->sink.write) {
		u->sink.write(u->sink.opaque, &byte, 1);
	}
	/* Full, and at once empty again: edge receivers must see the line fall. */
	u->thre_pending = 0;
	uart_update(u);
	u->thre_pending = 1;
}

/* Modem lines as they are now, with the changes since they were last read. */
static void uart_modem(struct uart *u)
{
	uint8_t now = MSR_CONNECTED, changed;

	if (u->mcr & UART_MCR_LOOP)
		now = (u->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
		      (u->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
		      (u->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
		      (u->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
	changed = (u->msr ^ now) & 0xf0;
	/* the ring indicator counts only when it ends */
	if ((changed & UART_MSR_RI) && (now & UART_MSR_RI))
		changed &= (uint8_t)~UART_MSR_RI;
	u->msr = now | (u->msr & MSR_DELTA) | changed >> 4;
}

static void uart_write_ier(struct uart *u, uint8_t v)
{
	/* Enabling the interrupt of an empty transmitter raises it. */
	if ((v & UART_IER_THRE) && !(u->ier & UART_IER_THRE))
		u->thre_pending = 1;
	u->ier = v & 15;
}

static void uart_write_fcr(struct uart *u, uint8_t v)
{
	bool toggled = (v ^ u->fcr) & UART_FCR_ENABLE;

	if (toggled || ((v & UART_FCR_ENABLE) && (v & UART_FCR_CLEAR_RX))) {
		u->fcr = v & (UART_FCR_ENABLE | 0xc0);
		uart_rx_clear(u);
	}
	u->fcr = v & UART_FCR_ENABLE ? v & (UART_FCR_ENABLE | 0xc8) : 0;
}

static void uart_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct uart *u = opaque;
	uint8_t v = (uint8_t)value;
	bool dlab = u->lcr & UART_LCR_DLAB;

	switch (offset & 7) {
	case REG_DATA:
		if (dlab)
			u->divisor = (u->divisor & 0xff00) | v;
		else
			uart_transmit(u, v);
		break;
	case REG_IER:
		if (dlab)
			u->divisor = (uint16_t)((u->divisor & 0xff) | v << 8);
		else
			uart_write_ier(u, v);
		break;
	case REG_IIR:
		uart_write_fcr(u, v);
		break;
	case REG_LCR:
		u->lcr = v;
		break;
	case REG_MCR:
		u->mcr = v & 0x1f;
		uart_modem(u);
		break;
	case REG_SCR:
		u->scratch = v;
		break;
	}
	uart_update(u);
	if ((offset & 7) == REG_MCR || (offset & 7) == REG_IIR)
		uart_input_wanted(u);
}

static uint8_t uart_read_iir(struct uart *u)
{
	unsigned iir = uart_interrupt(u);

	if (iir == IIR_THRE)
		u->thre_pending = 0;
	return (uint8_t)(iir | (uart_fifos(u) ? IIR_FIFOS : 0));
}

static uint8_t uart_reg_read(struct uart *u, unsigned reg)
{
	bool dlab = u->lcr & UART_LCR_DLAB;
	uint8_t v;

	switch (reg) {
	case REG_DATA:
		return dlab ? (uint8_t)u->divisor : uart_rx_pop(u);
	case REG_IER:
		return dlab ? (uint8_t)(u->divisor >> 8) : u->ier;
	case REG_IIR:
		return uart_read_iir(u);
	case REG_LCR:
		return u->lcr;
	case REG_MCR:
		return u->mcr;
	case REG_LSR:
		v = u->lsr;
		u->lsr &= (uint8_t)~UART_LSR_OE;
		return v;
	case REG_MSR:
		v = u->msr;
		u->msr &= (uint8_t)~MSR_DELTA;
		return v;
	default:
		return u->scratch;
	}
}

static uint64_t uart_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct uart *u = opaque;
	uint8_t v = uart_reg_read(u, offset & 7);

	uart_update(u);
	if ((offset & 7) == REG_DATA)
		uart_input_wanted(u);
	return v;
}

void uart_reset(void *uart)
{
	struct uart *u = uart;

	u->ier = u->lcr = u->mcr = u->scratch = u->fcr = 0;
	u->lsr = UART_LSR_THRE | UART_LSR_TEMT;
	u->msr = MSR_CONNECTED;
	u->divisor = 12; /* undefined on the chip; 9600 baud */
	u->thre_pending = 0;
	uart_rx_clear(u);
	uart_update(u);
}

void uart_init(struct uart *u, struct irq_line irq, const struct clock *clock,
	       struct timerq *timerq, struct byte_sink sink)
{
	memset(u, 0, sizeof(*u));
	u->irq = irq;
	u->clock = clock;
	u->timerq = timerq;
	u->sink = sink;
	timer_init(&u->timer, uart_fire, u);
	uart_reset(u);
}

static void uart_after_restore(void *uart)
{
	struct uart *u = uart;

	u->rx_head %= UART_FIFO_BYTES;
	if (u->rx_count > UART_FIFO_BYTES)
		u->rx_count = UART_FIFO_BYTES;
	timer_set(u->timerq, &u->timer, u->timeout_ns);
	uart_update(u);
}

const struct io_ops uart_io_ops = {uart_read, uart_write, 1};

static const struct field uart_fields[] = {
	FIELD(struct uart, ier),
	FIELD(struct uart, lcr),
	FIELD(struct uart, mcr),
	FIELD(struct uart, lsr),
	FIELD(struct uart, msr),
	FIELD(struct uart, scratch),
	FIELD(struct uart, fcr),
	FIELD(struct uart, divisor),
	FIELD_ARRAY(struct uart, rx),
	FIELD(struct uart, rx_head),
	FIELD(struct uart, rx_count),
	FIELD(struct uart, thre_pending),
	FIELD(struct uart, timeout_pending),
	FIELD(struct uart, timeout_ns),
	FIELD_END,
};

const struct device_desc uart_desc = {
	.name = "uart16550",
	.text = "serial port",
	.state_bytes = sizeof(struct uart),
	.fields = uart_fields,
	.reset = uart_reset,
	.after_restore = uart_after_restore,
};
