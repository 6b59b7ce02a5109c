/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * A connection that comes with a migrated virtual machine. It brings its state, and no verdict: `epoch` and `tap` of its side are such that the first packet at the
 * tap here is judged by the plan in force here.
 */
#pragma once
#include "conn.h"

#define EPOCH_CARRIED 1u

SEC("syscall")
int carry_in(struct carry_args *args)
{
	struct conn_key key = args->key;
	struct conn conn = args->conn;
	__u32 side = args->side & 1;
	struct conn *known = bpf_map_lookup_elem(&conn_est, &key);
	if (!known)
		known = bpf_map_lookup_elem(&conn_new, &key);
	if (known) {
		/* the other end is here, and knows it; or it was carried before */
		if ((known->flags & CONN_ORIGINATOR_IS_A) != (conn.flags & CONN_ORIGINATOR_IS_A))
			return 0;
		if (!known->epoch[side])
			known->epoch[side] = EPOCH_CARRIED;
		return 0;
	}
	conn.last_ns = now_ns();
	/* of gateways this host has its own */
	conn.gateway = 0;
	conn.flags &= ~(CONN_INSPECT * 3);
#pragma unroll
	for (int i = 0; i < 2; i++) {
		conn.tap[i] = 0;
		conn.endpoint[i] = 0;
		conn.rule[i] = 0;
		conn.looked[i] = 0;
		conn.epoch[i] = i == side ? EPOCH_CARRIED : 0;
	}
	if (bpf_map_update_elem(&conn_new, &key, &conn, BPF_NOEXIST))
		return 1;
	if (conn.state >= STATE_ESTABLISHED && conn.state != STATE_UNREPLIED)
		promote(&key, &conn);
	return 0;
}
