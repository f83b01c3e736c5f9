/* Counting what a qcow2 image uses, for checking and repairing it. */
#ifndef BACKEND_BLOCK_QCOW2_CHECK_H
#define BACKEND_BLOCK_QCOW2_CHECK_H

#include "backend/block/qcow2.h"

struct qcow2_checking {
	struct qcow2 *q;
	struct image_check *out;
	uint16_t *count; /* of each cluster of the file, as far as found; stays at the top */
	uint64_t clusters;
	bool fix;		/* entries that cannot be right are emptied */
	uint8_t *table, *other; /* a cluster each, to read into */
};

/* The file's clusters in memory, none used. */
int qcow2_checking_init(struct qcow2_checking *c, struct qcow2 *q, struct image_check *out,
			struct error *err);
void qcow2_checking_clear(struct qcow2_checking *c);
/* Count all but the refcounts' own clusters; with those, compare. 0 or -errno of reading. */
int qcow2_count_used(struct qcow2_checking *c);
int qcow2_count_refcounts(struct qcow2_checking *c);
/* COPIED where the count is one and nowhere else; with fix, make it so. */
int qcow2_check_copied(struct qcow2_checking *c);
void qcow2_corruption(struct qcow2_checking *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Something uses these bytes of the file. False, and counted as corruption, if they are not there.
 */
bool qcow2_use(struct qcow2_checking *c, uint64_t at, uint64_t bytes, const char *what);

#endif
