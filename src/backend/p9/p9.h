/*
 * A folder of the host shared with a guest: a 9P2000.L server. The client sees what lies in the
 * folder and below, and nothing else:
 *
 *  - every file is found from a descriptor of its folder by one name without '/', ".", ".." or NUL,
 *    and symbolic links are not followed: the client's kernel follows them, within what it sees;
 *  - a fid holds an O_PATH descriptor, so that what it stands for is not looked up again, however
 *    the folder changes;
 *  - ".." leads to where the fid came from and ends at the root;
 *  - devices, pipes and sockets are never opened, device files never made.
 *
 * Owners and modes are the host's, and what is done is done with the rights of the monitor's user,
 * whoever it is for in the guest. Set-user-ID and set-group-ID bits are not given to files. Mount
 * points inside the folder are part of it. The limits: one who moves a folder out of the share
 * on the host while the guest has it open leaves it that.
 */
#ifndef BACKEND_P9_P9_H
#define BACKEND_P9_P9_H

#include <stdbool.h>

#include "base/error.h"
#include "device/virtio/p9.h"

struct io_loop;
struct p9_share;

/* dir: the folder; a symbolic link to one is followed, here only. Requests are carried out on
 * threads of the share, or where the loop is synchronous on the loop itself. loop NULL: for tests,
 * answers only through p9_share_answer. 0 or -errno. */
int p9_share_create(struct p9_share **out, struct io_loop *loop, const char *dir, bool readonly,
		    struct error *err);
/* Nothing is in flight. NULL is fine. */
void p9_share_destroy(struct p9_share *s);
const struct p9_server *p9_share_server(struct p9_share *s);

/* Carry out one request here and now, from any thread; returns the length of the answer. */
size_t p9_share_answer(struct p9_share *s, struct p9_request *r);

#endif
