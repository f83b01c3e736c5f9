/* "Did you mean": the word of a list that is nearest to a mistyped one. */
#ifndef VM_NEAREST_H
#define VM_NEAREST_H

/* Edits (insert, delete, replace, swap neighbours) between two words; words over 63 characters
 * count as far apart. */
unsigned nearest_distance(const char *a, const char *b);

/* Running search: offer each candidate; best stays NULL while none is near enough. */
struct nearest {
	const char *word;
	const char *best;
	unsigned distance;
};
void nearest_init(struct nearest *n, const char *word);
void nearest_offer(struct nearest *n, const char *candidate);

#endif
