/* Memory balloon: see balloon.h. Section numbers are of virtio 1.2. */
#include "device/virtio/balloon.h"

#include <string.h>

#include "base/bits.h"

/* Features, 5.5.3 */
#define VIRTIO_BALLOON_F_STATS_VQ	(1ull << 1)
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM (1ull << 2)
#define VIRTIO_BALLOON_F_REPORTING	(1ull << 5)

enum { CONFIG_PAGES = 0, CONFIG_ACTUAL = 4, CONFIG_BYTES = 8, QUEUE_ENTRIES = 128 };

/* Queues, 5.5.2. Those of features that were not accepted do not exist, and the next takes the
 * number; so drivers do it, and so they must be counted. */
enum role { ROLE_INFLATE, ROLE_DEFLATE, ROLE_STATS, ROLE_REPORT, ROLE_NONE };

static enum role queue_role(const struct virtio_balloon *b, unsigned n)
{
	bool stats = virtio_has(&b->device, VIRTIO_BALLOON_F_STATS_VQ);

	if (n <= ROLE_DEFLATE)
		return (enum role)n;
	if (stats && n == 2)
		return ROLE_STATS;
	if (virtio_has(&b->device, VIRTIO_BALLOON_F_REPORTING) && n == 2u + stats)
		return ROLE_REPORT;
	return ROLE_NONE;
}

/* ---- inflate: chains of 32-bit page frame numbers */

/* Pages in a row, not yet given back. */
struct run {
	uint64_t gpa, len;
};

static void run_end(struct virtio_balloon *b, struct run *r)
{
	if (r->len)
		space_discard(b->device.memory, r->gpa, r->len);
	r->len = 0;
}

/* Drivers take pages from the top or from the bottom, so a run grows at either end. */
static void run_add(struct virtio_balloon *b, struct run *r, uint64_t gpa)
{
	if (r->len && gpa + PAGE_BYTES == r->gpa) {
		r->gpa = gpa;
	} else if (!r->len || gpa != r->gpa + r->len) {
		run_end(b, r);
		r->gpa = gpa;
	}
	r->len += PAGE_BYTES;
}

static void inflate_chain(struct virtio_balloon *b, const struct virtqueue *q,
			  const struct virtq_chain *c)
{
	uint8_t pfn[256 * 4];
	struct run run = {0};
	uint64_t at = 0;
	size_t n;

	while ((n = virtq_chain_read(q, c, at, pfn, sizeof(pfn))) >= 4) {
		for (size_t i = 0; i + 4 <= n; i += 4)
			run_add(b, &run, (uint64_t)load_le32(pfn + i) << PAGE_BITS);
		at += n;
	}
	run_end(b, &run);
}

/* ---- reports: the chain's buffers are the free pages themselves */
static void report_chain(struct virtio_balloon *b, const struct virtq_chain *c)
{
	for (unsigned i = c->out; i < (unsigned)c->out + c->in; i++)
		if (space_discard(b->device.memory, c->seg[i].gpa, c->seg[i].len))
			b->reported_bytes += c->seg[i].len;
}

/* ---- statistics: tag (16 bits) and value (64 bits); the device keeps the buffer until it wants
 * more */
static void stats_chain(struct virtio_balloon *b, const struct virtqueue *q,
			const struct virtq_chain *c)
{
	uint8_t one[10];

	for (uint64_t at = 0; virtq_chain_read(q, c, at, one, sizeof(one)) == sizeof(one);
	     at += sizeof(one)) {
		unsigned tag = load_le16(one);

		if (tag < VIRTIO_BALLOON_STATS)
			b->stat[tag] = load_le64(one + 2);
		if (at > 64 * sizeof(one))
			break;
	}
}

/* Read the buffer that waits in the queue; give it back if newer numbers are wanted. */
static void stats_serve(struct virtio_balloon *b)
{
	struct virtqueue *q = &b->device.queue[2];
	struct virtq_mark mark = virtqueue_mark(q);
	struct virtq_chain c;

	if (virtqueue_pop_or_wait(q, &c) <= 0)
		return;
	if (!b->stats_held)
		stats_chain(b, q, &c);
	b->stats_held = 1;
	if (!b->stats_wanted) {
		virtqueue_rewind(q, mark);
		return;
	}
	b->stats_wanted = b->stats_held = 0;
	virtqueue_push(q, &c, 0);
}

static void balloon_serve(void *opaque, unsigned n)
{
	struct virtio_balloon *b = opaque;
	struct virtqueue *q = &b->device.queue[n];
	enum role role = queue_role(b, n);
	struct virtq_chain c;

	if (role == ROLE_STATS) {
		stats_serve(b);
		return;
	}
	while (virtqueue_pop_or_wait(q, &c) > 0) {
		if (role == ROLE_INFLATE)
			inflate_chain(b, q, &c);
		else if (role == ROLE_REPORT)
			report_chain(b, &c);
		virtqueue_push(q, &c, 0);
	}
}

static void stats_forget(struct virtio_balloon *b)
{
	memset(b->stat, 0xff, sizeof(b->stat));
	b->stats_held = b->stats_wanted = 0;
}

static void balloon_reset(void *opaque)
{
	struct virtio_balloon *b = opaque;

	b->actual = 0;
	stats_forget(b);
}

static void balloon_config_read(void *opaque, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	const struct virtio_balloon *b = opaque;
	uint8_t config[CONFIG_BYTES];

	store_le32(config + CONFIG_PAGES, b->pages);
	store_le32(config + CONFIG_ACTUAL, b->actual);
	memcpy(buf, config + offset, bytes);
}

static void balloon_config_write(void *opaque, uint32_t offset, const uint8_t *buf, uint32_t bytes)
{
	struct virtio_balloon *b = opaque;

	if (offset == CONFIG_ACTUAL && bytes == 4)
		b->actual = load_le32(buf);
}

static void balloon_ask_run(void *opaque)
{
	struct virtio_balloon *b = opaque;

	virtio_enter(&b->device);
	if (virtio_running(&b->device) && queue_role(b, 2) == ROLE_STATS) {
		b->stats_wanted = 1;
		stats_serve(b);
	}
	virtio_leave(&b->device);
}

void virtio_balloon_ask(struct virtio_balloon *b)
{
	worker_post(&b->device.worker, &b->ask);
}

static void balloon_changed(void *opaque)
{
	struct virtio_balloon *b = opaque;

	virtio_enter(&b->device);
	virtio_config_changed(&b->device);
	virtio_leave(&b->device);
}

void virtio_balloon_set(struct virtio_balloon *b, uint32_t pages)
{
	host_mutex_lock(&b->device.lock);
	b->pages = pages;
	host_mutex_unlock(&b->device.lock);
	worker_post(&b->device.worker, &b->changed);
}

static const struct field balloon_fields[] = {
	FIELD(struct virtio_balloon, pages),
	FIELD(struct virtio_balloon, actual),
	FIELD(struct virtio_balloon, stats_held),
	FIELD(struct virtio_balloon, stats_wanted),
	FIELD(struct virtio_balloon, reported_bytes),
	FIELD_ARRAY(struct virtio_balloon, stat),
	FIELD_END,
};

static const struct device_desc balloon_state = {
	.name = "virtio-balloon",
	.text = "memory balloon",
	.state_bytes = sizeof(struct virtio_balloon),
	.fields = balloon_fields,
};

static const struct virtio_model balloon_model = {
	.id = VIRTIO_ID_BALLOON,
	.name = "virtio-balloon",
	.config_bytes = CONFIG_BYTES,
	.state = &balloon_state,
	.reset = balloon_reset,
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
	.serve = balloon_serve,
};

void virtio_balloon_init(struct virtio_balloon *b, const char *name)
{
	memset(b, 0, sizeof(*b));
	virtio_init(&b->device, &balloon_model, b, name,
		    VIRTIO_BALLOON_F_STATS_VQ | VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
			    VIRTIO_BALLOON_F_REPORTING);
	for (unsigned i = 0; i <= ROLE_REPORT; i++)
		virtio_add_queue(&b->device, QUEUE_ENTRIES);
	stats_forget(b);
	b->ask = (struct work){.run = balloon_ask_run, .opaque = b};
	b->changed = (struct work){.run = balloon_changed, .opaque = b};
}
