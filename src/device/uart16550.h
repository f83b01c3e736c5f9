/* Serial port 16550A: FIFOs, interrupts, loopback, modem lines. National Semiconductor PC16550D
 * datasheet. Output leaves at once (the transmitter is always empty); input arrives as fast as the
 * FIFO takes it. Left out: parity and framing errors, break, DMA signals. */
#ifndef DEVICE_UART16550_H
#define DEVICE_UART16550_H

#include "device/device.h"

enum { UART_FIFO_BYTES = 16 };

enum {
	UART_IER_RDA = 1 << 0,
	UART_IER_THRE = 1 << 1,
	UART_IER_LINE = 1 << 2,
	UART_IER_MODEM = 1 << 3,
	UART_LSR_DR = 1 << 0,
	UART_LSR_OE = 1 << 1,
	UART_LSR_THRE = 1 << 5,
	UART_LSR_TEMT = 1 << 6,
	UART_LCR_DLAB = 1 << 7,
	UART_MCR_DTR = 1 << 0,
	UART_MCR_RTS = 1 << 1,
	UART_MCR_OUT1 = 1 << 2,
	UART_MCR_OUT2 = 1 << 3,
	UART_MCR_LOOP = 1 << 4,
	UART_MSR_CTS = 1 << 4,
	UART_MSR_DSR = 1 << 5,
	UART_MSR_RI = 1 << 6,
	UART_MSR_DCD = 1 << 7,
	UART_FCR_ENABLE = 1 << 0,
	UART_FCR_CLEAR_RX = 1 << 1,
	UART_FCR_CLEAR_TX = 1 << 2,
};

struct uart {
	/* state */
	uint8_t ier, lcr, mcr, lsr, msr, scratch, fcr;
	uint16_t divisor;
	uint8_t rx[UART_FIFO_BYTES];
	uint8_t rx_head, rx_count;
	uint8_t thre_pending;	 /* THRE interrupt not yet acknowledged */
	uint8_t timeout_pending; /* character timeout interrupt */
	uint64_t timeout_ns;	 /* when it will come, or TIMER_NEVER */
	/* wiring */
	struct irq_line irq;
	const struct clock *clock;
	struct timerq *timerq;
	struct timer timer;
	struct byte_sink sink;
	/* Called when the receiver ran empty; may be NULL, may call uart_input. */
	void (*input_wanted)(void *opaque);
	void *input_opaque;
	const struct trace *trace;
};

extern const struct io_ops uart_io_ops; /* 8 ports */
extern const struct device_desc uart_desc;

void uart_init(struct uart *u, struct irq_line irq, const struct clock *clock,
	       struct timerq *timerq, struct byte_sink sink);
void uart_reset(void *uart);
/* Received bytes: returns how many fit (16 with FIFOs on, 1 without; 0 in loopback). */
size_t uart_input(struct uart *u, const uint8_t *bytes, size_t len);

#endif
