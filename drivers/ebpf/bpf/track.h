/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From packet to connection: the first one makes its entry, later ones are admitted by it, and a new plan judges it again. */
#pragma once
#include "side.h"
#include "steer.h"

/* What `begin` works with: too large for the stack. */
struct beginning {
	struct conn conn;
	struct question question;
	struct verdict_value own;
	struct verdict_value other;
};

MAP(fresh, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct beginning, 0);

/* What a look at an entry may end in, beside the tc actions. */
#define ADMITTED 0x100
#define BEGINS_ANEW 0x101 /* a connection of its own */
#define AGAIN 0x103 /* the entry does not speak for this side */
#define TO_GATEWAY 0x104 /* begun, and inspected; sent there by the caller, as the stack is too short here */

/* Forgets a connection that policy no longer allows and tells it, once for each side. */
__noinline int revoke(const struct conn_key *key, const struct packet *packet, struct conn *conn, __u64 endpoint_and_direction)
{
	if (!key || !packet || !conn)
		return DROP;
	tell_end(key, conn, END_REVOKED);
	forget(key);
	tell_drop(packet, endpoint_and_direction, REASON_REVOKED, 0, ACTION_DROP << 8 | (endpoint_and_direction >> 32) << 1);
	return DROP;
}

/* A side whose verdict became allow-stateless: its part of the connection ends, the other side's does not. */
__noinline int release(const struct conn_key *key, struct conn *conn, __u32 side)
{
	if (!key || !conn)
		return DROP;
	side &= 1;
	if (!(conn->flags & CONN_TOLD))
		tell_flow(key, conn, side, EVENT_FLOW_END, END_REVOKED);
	conn->epoch[side] = 0;
	conn->tap[side] = 0;
	if (conn->epoch[side ^ 1])
		return AGAIN;
	forget(key);
	return BEGINS_ANEW;
}

static __always_inline void admit(struct conn *conn, __u32 side, const struct context *context, const struct verdict_value *decision,
				  const struct endpoint *endpoint)
{
	side &= 1;
	conn->rule[side] = decision->rule;
	conn->endpoint[side] = endpoint->index;
	conn->epoch[side] = context->epoch;
	conn->flags &= ~(CONN_INSPECT << side);
	if (decision->action == ACTION_INSPECT)
		conn->flags |= CONN_INSPECT << side;
	if (decision->flags & VERDICT_LOG)
		conn->flags |= CONN_LOG;
}

/* Admitted for the first time: told, as far as its rule's rate goes. */
static __always_inline void admit_first(struct conn *conn, __u32 side, const struct context *context,
					const struct verdict_value *decision, const struct endpoint *endpoint, int turned)
{
	side &= 1;
	conn->flags &= ~((CONN_QUIET | CONN_TURNED) << side);
	if (over_rate(decision->rule, decision->rate))
		conn->flags |= CONN_QUIET << side;
	if (turned)
		conn->flags |= CONN_TURNED << side;
	admit(conn, side, context, decision, endpoint);
}

/* The first packet of a connection, or the first that this table knows of; that it is this endpoint's own is proved here. */
__noinline int begin(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			    const struct endpoint *endpoint, const struct conn_key *key)
{
	if (!packet || !context || !endpoint || !key)
		return DROP;
	__u32 zero = 0;
	struct beginning *now = bpf_map_lookup_elem(&fresh, &zero);
	if (!now)
		return DROP;
	__u32 wrong = ask(skb, packet, context, endpoint, &now->question);
	if (wrong)
		return drop(packet, context, endpoint->index, wrong);
	__u32 originator_is_a = same_address(&key->a, &packet->source) && key->port_a == packet->source_port;
	/* both ends alike: make_key put the sender last */
	if (originator_is_a && same_address(&key->b, &packet->source) && key->port_b == packet->source_port)
		originator_is_a = 0;
	__u32 side = context->from ? ORIGINATOR : RESPONDER;
	__u64 at = place(endpoint, context->from ? EGRESS : INGRESS);
	judge(context->slot, side, &now->question, &now->own);
	note_monitored(packet, &now->own, at);
	if (now->own.action == ACTION_ALLOW_STATELESS)
		return pass_stateless(skb, packet, context, endpoint, &now->question, &now->own);
	if (now->own.action != ACTION_ALLOW && !(now->own.action == ACTION_INSPECT && may_inspect(key, now->own.rule)))
		return deny(skb, packet, context, &now->own, at);

	struct conn *conn = &now->conn;
	__builtin_memset(conn, 0, sizeof(*conn));
	conn->flags = originator_is_a ? CONN_ORIGINATOR_IS_A : 0;
	conn->state = packet->proto == 6 ? STATE_SYN_SENT : STATE_UNREPLIED;
	conn->last_ns = now_ns();
	conn->packets[ORIGINATOR] = packet->packets;
	conn->bytes[ORIGINATOR] = packet->bytes;
	conn->end[ORIGINATOR] = packet->seq + packet->payload;
	admit_first(conn, side, context, &now->own, endpoint, 0);
	conn->tap[side] = skb->ifindex;
	__u32 ifindex = 0;
	struct endpoint *other = 0;
	if (context->from) {
		conn->looked[ORIGINATOR] = context->epoch;
		ifindex = now->question.end[RESPONDER].ifindex;
		other = context->mark && now->own.action == ACTION_ALLOW ? direct_destination(skb, endpoint, ifindex) : 0;
		if (other) {
			judge(context->slot, RESPONDER, &now->question, &now->other);
			/* without state at the other side: its own tap judges each packet; inspected there: it sends each to the gateway */
			if (now->other.action == ACTION_ALLOW_STATELESS || is_steered(&now->other))
				other = 0;
		}
		if (other) {
			at = place(other, INGRESS);
			note_monitored(packet, &now->other, at);
			if (now->other.action != ACTION_ALLOW)
				return deny(skb, packet, context, &now->other, at);
			conn->tap[RESPONDER] = ifindex;
			admit_first(conn, RESPONDER, context, &now->other, other, 0);
		}
	}
	if (bpf_map_update_elem(&conn_new, key, conn, BPF_ANY))
		return drop(packet, context, endpoint->index, REASON_CONNTRACK_FULL);
	count_rule(now->own.rule, packet->packets, packet->bytes, 1);
	tell_flow(key, conn, side, EVENT_FLOW_START, 0);
	if (now->own.action == ACTION_INSPECT && !context->inspected)
		return TO_GATEWAY;
	if (!other)
		return PASS;
	count_rule(now->other.rule, packet->packets, packet->bytes, 1);
	tell_flow(key, conn, RESPONDER, EVENT_FLOW_START, 0);
	return hand_over(skb, context, ifindex);
}

/*
 * A side without a verdict: the entry was made by the other end's tap, and opens nothing here. A packet that may begin is judged by itself; one that the
 * originator did not send admits the side the other way round, where the protocol has no beginning that says who began.
 */
__noinline int join(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			   const struct endpoint *endpoint, const struct conn_key *key)
{
	if (!packet || !context || !endpoint || !key)
		return DROP;
	__u32 zero = 0;
	struct question *question = bpf_map_lookup_elem(&asked, &zero);
	if (!question)
		return DROP;
	__u32 wrong = ask(skb, packet, context, endpoint, question);
	if (wrong)
		return drop(packet, context, endpoint->index, wrong);
	__u64 at = place(endpoint, context->from ? EGRESS : INGRESS);
	struct verdict_value decision = {};
	judge(context->slot, context->from ? ORIGINATOR : RESPONDER, question, &decision);
	struct conn *conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return BEGINS_ANEW;
	__u32 originator_is_a = conn->flags & CONN_ORIGINATOR_IS_A;
	__u32 sender = same_address(originator_is_a ? &key->a : &key->b, &packet->source) &&
				       (originator_is_a ? key->port_a : key->port_b) == packet->source_port ?
			       ORIGINATOR :
			       RESPONDER;
	__u32 inspects = decision.action == ACTION_INSPECT && may_inspect(key, decision.rule);
	if (sender == RESPONDER && (decision.action == ACTION_ALLOW || inspects) && (packet->proto == 6 || packet->proto == 132))
		return BEGINS_ANEW;
	note_monitored(packet, &decision, at);
	if (decision.action == ACTION_ALLOW_STATELESS)
		return pass_stateless(skb, packet, context, endpoint, question, &decision);
	if (decision.action != ACTION_ALLOW && !inspects)
		return deny(skb, packet, context, &decision, at);
	conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return BEGINS_ANEW;
	__u32 side = (context->from ? sender : sender ^ 1) & 1;
	conn->tap[side] = skb->ifindex;
	admit_first(conn, side, context, &decision, endpoint, sender == RESPONDER);
	count_rule(decision.rule, 0, 0, 1);
	tell_flow(key, conn, side, EVENT_FLOW_START, 0);
	return ADMITTED;
}

/* A side whose verdict is older than the plan in force (or was taken at another tap) is judged again, from the connection's first packet. */
__noinline int readmit(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			      const struct endpoint *endpoint, const struct conn_key *key)
{
	if (!packet || !context || !endpoint || !key)
		return DROP;
	struct conn *conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return BEGINS_ANEW;
	__u32 flags = conn->flags;
	__u32 originator_is_a = flags & CONN_ORIGINATOR_IS_A;
	__u32 sender = same_address(originator_is_a ? &key->a : &key->b, &packet->source) &&
				       (originator_is_a ? key->port_a : key->port_b) == packet->source_port ?
			       ORIGINATOR :
			       RESPONDER;
	__u32 side = (context->from ? sender : sender ^ 1) & 1;
	if (conn->epoch[side] == 0)
		return AGAIN;
	__u32 wrong = wrong_address(skb, packet, context, endpoint);
	if (wrong)
		return drop(packet, context, endpoint->index, wrong);
	struct verdict_value decision = {};
	judge_side(context, key, flags, side, &decision);
	__u32 turned = !!(flags & (CONN_TURNED << side));
	/* while its gateways are away the connection waits, or goes on without, as the rule says */
	if (decision.action != ACTION_ALLOW && decision.action != ACTION_ALLOW_STATELESS && !is_steered(&decision))
		return revoke(key, packet, conn, place(endpoint, (side == ORIGINATOR) ^ turned ? EGRESS : INGRESS));
	/* the entry may have been given to another connection meanwhile: it is not to inherit this one's verdict */
	conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return DROP;
	if (decision.action == ACTION_ALLOW_STATELESS)
		return release(key, conn, side);
	conn->tap[side] = skb->ifindex;
	admit(conn, side, context, &decision, endpoint);
	return ADMITTED;
}

/*
 * Direct delivery on a known connection: the tap of the other end, when it is here and its own side is admitted under the plan in force. 0 = over the bridge,
 * where to_vm decides.
 */
__noinline int relook(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			     const struct endpoint *endpoint, const struct conn_key *key)
{
	if (!packet || !context || !endpoint || !key)
		return DROP;
	struct conn *conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return ADMITTED;
	__u32 flags = conn->flags;
	__u32 sender = conn->tap[ORIGINATOR] == skb->ifindex ? ORIGINATOR : RESPONDER;
	__u32 receiver = (sender ^ 1) & 1;
	conn->looked[sender & 1] = context->epoch;
	__u32 ifindex = owner_of(context->slot, &packet->destination);
	struct endpoint *other = direct_destination(skb, endpoint, ifindex);
	int first = conn->epoch[receiver] == 0;
	if (!other || (first && (sender == RESPONDER || !begins(packet)))) {
		conn->tap[receiver] = 0;
		return ADMITTED;
	}
	__u32 zero = 0;
	struct verdict_value *decision = bpf_map_lookup_elem(&judged, &zero);
	if (!decision)
		return DROP;
	judge_side(context, key, flags, receiver, decision);
	if (decision->action == ACTION_ALLOW_STATELESS || is_steered(decision)) {
		conn = bpf_map_lookup_elem(&conn_est, key);
		if (!conn)
			conn = bpf_map_lookup_elem(&conn_new, key);
		if (conn)
			conn->tap[receiver] = 0;
		return ADMITTED;
	}
	__u32 turned = !first && (flags & (CONN_TURNED << receiver));
	__u64 at = place(other, (receiver == ORIGINATOR) ^ turned ? EGRESS : INGRESS);
	if (first)
		note_monitored(packet, decision, at);
	if (decision->action != ACTION_ALLOW)
		return first ? deny(skb, packet, context, decision, at) : revoke(key, packet, conn, at);
	conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return DROP;
	conn->tap[receiver] = ifindex;
	if (!first) {
		admit(conn, receiver, context, decision, other);
		return ADMITTED;
	}
	admit_first(conn, receiver, context, decision, other, 0);
	count_rule(decision->rule, 0, 0, 1);
	tell_flow(key, conn, receiver, EVENT_FLOW_START, 0);
	return ADMITTED;
}

static __always_inline int begin_or_steer(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
					  const struct endpoint *endpoint, const struct conn_key *key)
{
	int result = begin(skb, packet, context, endpoint, key);
	__u64 side = context->from ? ORIGINATOR : RESPONDER;
	return result == TO_GATEWAY ? steer(skb, packet, context, key, side << 32 | endpoint->index) : result;
}

static __always_inline int track(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
				 const struct endpoint *endpoint)
{
	struct conn_key key;
	__u64 now = now_ns();
	int source_is_a = make_key(&key, packet, endpoint->zone);
	struct conn *conn = find(&key, packet, now);
	if (!conn)
		return begins(packet) ? begin_or_steer(skb, packet, context, endpoint, &key) :
					alone(skb, packet, context, endpoint, REASON_NO_CONNECTION);
	__u32 sender = source_is_a == !!(conn->flags & CONN_ORIGINATOR_IS_A) ? ORIGINATOR : RESPONDER;
	__u32 receiver = sender ^ 1;
	__u32 side = context->from ? sender : receiver;
	if (!fits(packet, sender))
		return alone(skb, packet, context, endpoint, REASON_NO_CONNECTION);
	if (conn->epoch[side & 1] != context->epoch || conn->tap[side & 1] != skb->ifindex) {
		int result = readmit(skb, packet, context, endpoint, &key);
		if ((result == AGAIN || result == BEGINS_ANEW) && !begins(packet))
			return alone(skb, packet, context, endpoint, REASON_NO_CONNECTION);
		if (result == AGAIN)
			result = join(skb, packet, context, endpoint, &key);
		if (result == BEGINS_ANEW) {
			forget(&key);
			return begin_or_steer(skb, packet, context, endpoint, &key);
		}
		if (result != ADMITTED)
			return result;
	}
	if (context->from && context->mark && !(conn->flags & (CONN_INSPECT << (side & 1))) &&
	    (conn->looked[sender & 1] != context->epoch ||
	     (conn->tap[receiver & 1] && conn->epoch[receiver & 1] != context->epoch))) {
		int result = relook(skb, packet, context, endpoint, &key);
		if (result != ADMITTED)
			return result;
	}
	enum { OVER_BRIDGE, DIRECTLY, THROUGH_GATEWAY } way = OVER_BRIDGE;
	__u32 ifindex = context->from ? conn->tap[receiver & 1] : 0;
	count_rule(conn->rule[side & 1], packet->packets, packet->bytes, 0);
	if (conn->flags & (CONN_INSPECT << (side & 1))) {
		if (!context->inspected)
			way = THROUGH_GATEWAY;
	} else if (ifindex && conn->epoch[receiver & 1] == context->epoch && direct_destination(skb, endpoint, ifindex)) {
		way = DIRECTLY;
		count_rule(conn->rule[receiver & 1], packet->packets, packet->bytes, 0);
	}
	/* the sender's tap has counted it already when it is on this host and in this zone */
	if (context->from || !conn->tap[sender & 1]) {
		if (seen(conn, &key, packet, sender, now))
			promote(&key, conn);
	}
	if (way == THROUGH_GATEWAY)
		return steer(skb, packet, context, &key, (__u64)(side & 1) << 32 | endpoint->index);
	return way == DIRECTLY ? hand_over(skb, context, ifindex) : PASS;
}
