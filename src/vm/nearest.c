/* Edit distance (optimal string alignment) over short words; see nearest.h. */
#include "vm/nearest.h"

#include <string.h>

#include "doppel/doppel.h"

enum { NEAREST_WORD_MAX = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned nearest_distance(const char *a, const char *b)
{
	unsigned row[3][NEAREST_WORD_MAX];
	size_t la = strlen(a), lb = strlen(b);

	if (la >= NEAREST_WORD_MAX || lb >= NEAREST_WORD_MAX)
		return NEAREST_WORD_MAX;
	for (unsigned j = 0; j <= lb; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned change = up[j - 1] + (a[i - 1] != b[j - 1]);

			now[j] = min3(up[j] + 1, now[j - 1] + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min3(now[j], up2[j - 2] + 1, now[j]);
		}
	}
	return row[la % 3][lb];
}

void nearest_init(struct nearest *n, const char *word)
{
	/* Farther than a third of its letters is another word, not a typing error. */
	*n = (struct nearest){word, NULL, 2 + (unsigned)strlen(word) / 3};
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	unsigned d = nearest_distance(n->word, candidate);

	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}

unsigned doppel_distance(const char *a, const char *b)
{
	return nearest_distance(a, b);
}
