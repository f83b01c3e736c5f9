/* What all virtio devices have: status, features, queues, interrupts. See virtio.h. */
#include "device/virtio/virtio.h"

#include <string.h>

#include "base/bits.h"

#define FEATURES_OF_ALL                                                                            \
	(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED | \
	 VIRTIO_F_RING_RESET)

/* ---- interrupts */

static bool interrupts_due(const struct virtio_device *d)
{
	bool due = d->config_interrupt;

	for (unsigned i = 0; i < d->queues; i++)
		due |= d->queue[i].interrupt;
	return due;
}

/* Under the machine lock, lock not held: what is due now, and not what was before a reset. */
static void interrupts_raise(struct virtio_device *d)
{
	uint64_t queues = 0;
	bool config, allowed;

	host_mutex_lock(&d->lock);
	for (unsigned i = 0; i < d->queues; i++) {
		queues |= (uint64_t)d->queue[i].interrupt << i;
		d->queue[i].interrupt = 0;
	}
	config = d->config_interrupt;
	d->config_interrupt = 0;
	allowed = (d->status & VIRTIO_DRIVER_OK) && !d->resetting && d->transport.interrupt;
	host_mutex_unlock(&d->lock);
	if (!allowed)
		return;
	for (unsigned i = 0; i < d->queues; i++)
		if (queues >> i & 1)
			d->transport.interrupt(d->transport.opaque, VIRTIO_ISR_QUEUE, i);
	if (config)
		d->transport.interrupt(d->transport.opaque, VIRTIO_ISR_CONFIG, 0);
}

static void notice_broken_queues(struct virtio_device *d)
{
	for (unsigned i = 0; i < d->queues; i++)
		if (d->queue[i].broken && !(d->status & VIRTIO_NEEDS_RESET))
			virtio_broken(d, "a ring that breaks the rules");
}

/* Returns whether interrupts are due. */
static bool unlock(struct virtio_device *d)
{
	bool due;

	notice_broken_queues(d);
	due = interrupts_due(d);
	host_mutex_unlock(&d->lock);
	return due;
}

/* Under the machine lock: as virtio_enter and virtio_leave. */
static void lock_for_cpu(struct virtio_device *d)
{
	host_mutex_lock(&d->lock);
}

static void unlock_for_cpu(struct virtio_device *d)
{
	if (unlock(d))
		interrupts_raise(d);
}

void virtio_enter(struct virtio_device *d)
{
	host_mutex_lock(&d->lock);
}

void virtio_leave(struct virtio_device *d)
{
	if (!unlock(d))
		return;
	if (d->machine_lock)
		host_mutex_lock(d->machine_lock);
	interrupts_raise(d);
	if (d->machine_lock)
		host_mutex_unlock(d->machine_lock);
}

void virtio_config_changed(struct virtio_device *d)
{
	d->generation++;
	if (d->status & VIRTIO_DRIVER_OK)
		d->config_interrupt = 1;
}

void virtio_broken(struct virtio_device *d, const char *why)
{
	TRACE(d->trace, TRACE_VIRTIO, "%s: needs reset: %s", d->name, why);
	d->status |= VIRTIO_NEEDS_RESET;
	virtio_config_changed(d);
}

/* ---- reset */

static void reset_now(struct virtio_device *d)
{
	d->status = 0;
	d->resetting = 0;
	d->config_interrupt = 0;
	d->generation = 0;
	d->accepted = 0;
	d->start_due = false;
	__atomic_store_n(&d->kicked, 0, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < d->queues; i++)
		virtqueue_reset(&d->queue[i]);
	if (d->type->reset)
		d->type->reset(d->model);
}

void virtio_begin(struct virtio_device *d)
{
	d->in_flight++;
}

void virtio_end(struct virtio_device *d)
{
	d->in_flight--;
	if (!d->in_flight && d->resetting)
		reset_now(d);
}

void virtio_reset(struct virtio_device *d)
{
	host_mutex_lock(&d->lock);
	d->in_flight = 0;
	reset_now(d);
	host_mutex_unlock(&d->lock);
}

/* ---- service */

static void post(struct virtio_device *d)
{
	if (d->worker.post)
		worker_post(&d->worker, &d->work);
}

static void serve(struct virtio_device *d, uint64_t queues)
{
	for (unsigned i = 0; i < d->queues && virtio_running(d); i++)
		if ((queues >> i & 1) && d->queue[i].enabled)
			d->type->serve(d->model, i);
}

/* Each queue once: what is added meanwhile kicks again. */
static void work(void *opaque)
{
	struct virtio_device *d = opaque;
	uint64_t queues;

	virtio_enter(d);
	queues = __atomic_exchange_n(&d->kicked, 0, __ATOMIC_ACQ_REL);
	if (virtio_running(d)) {
		if (d->start_due) {
			d->start_due = false;
			queues = ~0ull; /* kicks were not heeded before */
			if (d->type->started)
				d->type->started(d->model);
		}
		if (d->type->serve)
			serve(d, queues);
	}
	virtio_leave(d);
}

void virtio_serve_again(struct virtio_device *d, unsigned n)
{
	__atomic_fetch_or(&d->kicked, 1ull << (n % VIRTIO_QUEUES_MAX), __ATOMIC_ACQ_REL);
	post(d);
}

void virtio_kick(struct virtio_device *d, unsigned n)
{
	TRACE(d->trace, TRACE_VIRTIO, "%s: kick of queue %u", d->name, n);
	if (n >= d->queues)
		return;
	if (!d->type->prompt || !d->worker.post) {
		virtio_serve_again(d, n);
		return;
	}
	__atomic_fetch_or(&d->kicked, 1ull << n, __ATOMIC_ACQ_REL);
	worker_post_prompt(&d->worker, &d->work);
}

/* ---- registers */

uint8_t virtio_status_read(struct virtio_device *d)
{
	uint8_t v;

	host_mutex_lock(&d->lock);
	v = d->status;
	host_mutex_unlock(&d->lock);
	return v;
}

static bool features_fit(struct virtio_device *d)
{
	if ((d->accepted & ~d->offered) || !virtio_has(d, VIRTIO_F_VERSION_1))
		return false;
	return !d->type->features || d->type->features(d->model, d->accepted);
}

/* Bits are only ever set; each needs what comes before it (3.1.1). */
static void status_add(struct virtio_device *d, uint8_t v)
{
	uint8_t new = v &(uint8_t)~d->status;

	d->status |= new &(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FAILED);
	if ((new &VIRTIO_FEATURES_OK) && features_fit(d))
		d->status |= VIRTIO_FEATURES_OK;
	if ((new &VIRTIO_DRIVER_OK) && (d->status & VIRTIO_FEATURES_OK)) {
		d->status |= VIRTIO_DRIVER_OK;
		d->start_due = true;
		post(d);
	}
}

void virtio_status_write(struct virtio_device *d, uint8_t status)
{
	lock_for_cpu(d);
	TRACE(d->trace, TRACE_VIRTIO, "%s: status %#x, was %#x, features %#llx", d->name, status,
	      d->status, (unsigned long long)d->accepted);
	if (status == 0) {
		d->resetting = d->in_flight != 0;
		if (!d->resetting)
			reset_now(d);
	} else if (!d->resetting) {
		status_add(d, status);
	}
	unlock_for_cpu(d);
}

uint32_t virtio_features_read(struct virtio_device *d, unsigned word)
{
	return word < 2 ? (uint32_t)(d->offered >> 32 * word) : 0;
}

void virtio_features_write(struct virtio_device *d, unsigned word, uint32_t value)
{
	lock_for_cpu(d);
	if (word < 2 && !(d->status & VIRTIO_FEATURES_OK) && !d->resetting) {
		d->accepted &= ~(0xffffffffull << 32 * word);
		d->accepted |= (uint64_t)value << 32 * word;
	}
	unlock_for_cpu(d);
}

uint16_t virtio_queue_size_max(const struct virtio_device *d, unsigned n)
{
	return n < d->queues ? d->queue[n].size_max : 0;
}

struct virtqueue *virtio_queue_setup(struct virtio_device *d, unsigned n)
{
	bool can;

	if (n >= d->queues)
		return NULL;
	host_mutex_lock(&d->lock);
	can = !d->queue[n].enabled && !d->queue[n].resetting && !d->resetting;
	host_mutex_unlock(&d->lock);
	return can ? &d->queue[n] : NULL;
}

void virtio_queue_enable(struct virtio_device *d, unsigned n)
{
	if (n >= d->queues)
		return;
	lock_for_cpu(d);
	if ((d->status & VIRTIO_FEATURES_OK) && !d->resetting) {
		struct virtqueue *q = &d->queue[n];
		bool ok = virtqueue_enable(q, virtio_has(d, VIRTIO_F_RING_PACKED),
					   virtio_has(d, VIRTIO_F_EVENT_IDX));
		TRACE(d->trace, TRACE_VIRTIO, "%s: queue %u: size %u at %#llx %#llx %#llx%s",
		      d->name, n, q->size, (unsigned long long)q->desc,
		      (unsigned long long)q->driver, (unsigned long long)q->device,
		      ok ? "" : ": refused");
		if (ok && (d->status & VIRTIO_DRIVER_OK))
			virtio_serve_again(d, n);
	}
	unlock_for_cpu(d);
}

void virtio_queue_disable(struct virtio_device *d, unsigned n)
{
	if (n >= d->queues)
		return;
	lock_for_cpu(d);
	if (d->queue[n].enabled)
		virtqueue_stop(&d->queue[n]);
	unlock_for_cpu(d);
}

void virtio_queue_reset(struct virtio_device *d, unsigned n)
{
	if (virtio_has(d, VIRTIO_F_RING_RESET)) /* settled before: no lock */
		virtio_queue_disable(d, n);
}

bool virtio_queue_resetting(struct virtio_device *d, unsigned n)
{
	bool yes;

	if (n >= d->queues)
		return false;
	host_mutex_lock(&d->lock);
	yes = d->queue[n].resetting;
	host_mutex_unlock(&d->lock);
	return yes;
}

bool virtio_queue_enabled(struct virtio_device *d, unsigned n)
{
	bool yes;

	if (n >= d->queues)
		return false;
	host_mutex_lock(&d->lock);
	yes = d->queue[n].enabled;
	host_mutex_unlock(&d->lock);
	return yes;
}

uint32_t virtio_generation(struct virtio_device *d)
{
	uint32_t v;

	host_mutex_lock(&d->lock);
	v = d->generation;
	host_mutex_unlock(&d->lock);
	return v;
}

void virtio_config_read(struct virtio_device *d, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	memset(buf, 0, bytes);
	if (offset > d->type->config_bytes || bytes > d->type->config_bytes - offset)
		return;
	lock_for_cpu(d);
	if (d->type->config_read)
		d->type->config_read(d->model, offset, buf, bytes);
	unlock_for_cpu(d);
}

void virtio_config_write(struct virtio_device *d, uint32_t offset, const uint8_t *buf,
			 uint32_t bytes)
{
	if (offset > d->type->config_bytes || bytes > d->type->config_bytes - offset)
		return;
	lock_for_cpu(d);
	if (d->type->config_write)
		d->type->config_write(d->model, offset, buf, bytes);
	unlock_for_cpu(d);
}

/* ---- creation */

void virtio_init(struct virtio_device *d, const struct virtio_model *type, void *model,
		 const char *name, uint64_t features)
{
	memset(d, 0, sizeof(*d));
	d->type = type;
	d->model = model;
	d->name = name;
	d->offered = features | FEATURES_OF_ALL;
	d->work.run = work;
	d->work.opaque = d;
	host_mutex_init(&d->lock);
}

unsigned virtio_add_queue(struct virtio_device *d, uint16_t size_max)
{
	struct virtqueue *q = &d->queue[d->queues];

	if (d->queues == VIRTIO_QUEUES_MAX)
		return VIRTIO_QUEUES_MAX - 1;
	q->size_max = size_max < VIRTQ_SIZE_MAX ? size_max : VIRTQ_SIZE_MAX;
	q->memory = d->memory;
	virtqueue_reset(q);
	return d->queues++;
}

void virtio_connect(struct virtio_device *d, struct space *memory, struct host_mutex *machine_lock,
		    const struct worker *worker, const struct trace *trace)
{
	d->memory = memory;
	d->machine_lock = machine_lock;
	d->worker = *worker;
	d->trace = trace;
	for (unsigned i = 0; i < d->queues; i++)
		d->queue[i].memory = memory;
}

void virtio_destroy(struct virtio_device *d)
{
	host_mutex_destroy(&d->lock);
}

/* ---- state */

static void reset(void *device)
{
	virtio_reset(device);
}

static void after_restore(void *device)
{
	struct virtio_device *d = device;

	d->start_due = d->status & VIRTIO_DRIVER_OK;
	if (d->start_due)
		post(d);
}

static const struct field fields[] = {
	FIELD(struct virtio_device, status),
	FIELD(struct virtio_device, resetting),
	FIELD(struct virtio_device, config_interrupt),
	FIELD(struct virtio_device, generation),
	FIELD(struct virtio_device, accepted),
	FIELD(struct virtio_device, kicked),
	FIELD_END,
};

const struct device_desc virtio_device_desc = {
	.name = "virtio",
	.text = "what every virtio device has",
	.state_bytes = sizeof(struct virtio_device),
	.fields = fields,
	.reset = reset,
	.after_restore = after_restore,
};
