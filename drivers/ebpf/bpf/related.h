/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* ICMP errors. */
#pragma once
#include "side.h"
#include "steer.h"

#define UNRELATED 0x104 /* no connection admits it */

/* An ICMP error is as good as the connection it quotes (RFC 5927): that must be known, and its side here admitted. Where
   there is none, an allow-stateless verdict on the error itself may still let it pass. */
__noinline int related(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			      const struct endpoint *endpoint)
{
	if (!packet || !context || !endpoint)
		return DROP;
	__u8 quoted[48] = {};
	struct packet inner = {};
	__u32 at = packet->l4 + 8;
	int v4 = packet->proto == 1;
	if (packet->icmp_type == 4 && v4)
		return drop(packet, context, endpoint->index, REASON_ICMP_ERROR);
	__u32 wrong = wrong_address(skb, packet, context, endpoint);
	if (wrong)
		return drop(packet, context, endpoint->index, wrong);
	if (v4) {
		if (bpf_skb_load_bytes(skb, at, quoted, 28) || quoted[0] != 0x45 || (load16(quoted + 6) & 0x1fff))
			return drop(packet, context, endpoint->index, REASON_ICMP_ERROR);
		inner.source.word[2] = inner.destination.word[2] = bpf_htonl(0xffff);
		__builtin_memcpy(&inner.source.word[3], quoted + 12, 4);
		__builtin_memcpy(&inner.destination.word[3], quoted + 16, 4);
		inner.proto = quoted[9];
		__builtin_memmove(quoted, quoted + 20, 8);
	} else {
		if (bpf_skb_load_bytes(skb, at, quoted, 48) || (quoted[0] >> 4) != 6)
			return drop(packet, context, endpoint->index, REASON_ICMP_ERROR);
		__builtin_memcpy(&inner.source, quoted + 8, 16);
		__builtin_memcpy(&inner.destination, quoted + 24, 16);
		inner.proto = quoted[6];
		__builtin_memmove(quoted, quoted + 40, 8);
	}
	if (inner.proto == 6 || inner.proto == 17 || inner.proto == 132) {
		inner.source_port = load16(quoted);
		inner.destination_port = load16(quoted + 2);
	} else if (inner.proto == packet->proto) {
		inner.icmp_type = quoted[0];
		if (v4)
			classify_icmp4(&inner);
		else
			classify_icmp6(&inner);
		icmp_ports(&inner, load16(quoted + 4));
	}
	/* it goes to whom it concerns, and an endpoint complains only of what was sent to itself */
	if (inner.icmp_kind == ICMP_ERROR || !same_address(&inner.source, &packet->destination) ||
	    (context->from && !same_address(&inner.destination, &packet->source)))
		return drop(packet, context, endpoint->index, REASON_ICMP_ERROR);
	struct conn_key key;
	int source_is_a = make_key(&key, &inner, endpoint->zone);
	struct conn *conn = bpf_map_lookup_elem(&conn_est, &key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, &key);
	if (!conn || is_expired(conn, key.proto, now_ns()))
		return UNRELATED;
	__u32 flags = conn->flags;
	__u32 sender = source_is_a == !!(flags & CONN_ORIGINATOR_IS_A) ? ORIGINATOR : RESPONDER;
	__u32 side = (context->from ? sender ^ 1 : sender) & 1;
	__u32 rule = conn->rule[side];
	if (conn->epoch[side] == 0)
		return UNRELATED;
	if (conn->epoch[side] != context->epoch) {
		__u32 zero = 0;
		struct verdict_value *decision = bpf_map_lookup_elem(&judged, &zero);
		if (!decision)
			return DROP;
		judge_side(context, &key, flags, side, decision);
		if (decision->action != ACTION_ALLOW && !is_steered(decision))
			return UNRELATED;
	}
	count_rule(rule, packet->packets, packet->bytes, 0);
	return PASS;
}
