/* One instruction through every stage, as text. */
#include "vm/vm.h"

#include <errno.h>

int doppel_explain(const uint8_t *bytes, size_t len, unsigned mode, const char *registers,
		   char *buf, size_t buf_len, struct doppel_error *err)
{
	return error_set((struct error *)err, -ENOSYS, "explain: not in this build");
}
