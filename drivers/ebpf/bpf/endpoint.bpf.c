/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The endpoint's data path: `from_vm` on the ingress hook of a VM's tap, `to_vm` on its egress hook. Each enforces its own side of a connection:
 * from_vm the sender's, to_vm the receiver's. Only where from_vm hands a packet straight to another tap does it take both verdicts, and then marks
 * the packet so that to_vm does not judge it twice. What passes returns TC_ACT_UNSPEC: other people's filters on the same hook still see it.
 * docs/packet-fates.md is the specification; anything that is not understood is dropped.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "layout.h"
#include "maps.h"
#include "clock.h"
#include "packet.h"
#include "verdict.h"
#include "tell.h"
#include "conn.h"
#include "guard.h"
#include "answer.h"

MAP(fresh, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct conn, 0);
/* of judge_side, whose callers leave it no room on the stack */
MAP(asked, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct question, 0);

#define PASS TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT
#define DHCP_WINDOW_NS (60 * SECOND_NS)

/* What one packet is judged by; read once. */
struct context {
	__u32 slot;
	__u32 epoch;
	__u32 mark;
	__u32 from; /* 1 in from_vm */
};

static __always_inline int drop(const struct packet *packet, const struct context *context, __u32 endpoint, __u32 reason)
{
	tell_drop(packet, endpoint, reason, 0, ACTION_DROP << 8 | (context->from ? EGRESS : INGRESS) << 1);
	return DROP;
}

/* A verdict that is not allow: counted at its rule, told, and answered when it says so. */
__noinline int deny(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			   const struct verdict_value *decision, __u64 endpoint_and_direction)
{
	if (!packet || !context || !decision)
		return DROP;
	__u32 endpoint = endpoint_and_direction;
	count_rule(decision->rule, packet->packets, packet->bytes, 1);
	/* inspected traffic goes through a gateway; none is known here, so it goes nowhere */
	tell_drop(packet, endpoint, decision->action == ACTION_INSPECT ? REASON_NO_GATEWAY : REASON_POLICY, decision->rule,
		  decision->action << 8 | (endpoint_and_direction >> 32) << 1 | (decision->flags & VERDICT_LOG));
	if (decision->action != ACTION_REJECT || !context->mark || skb->mark)
		return DROP;
	if (answer(skb, packet, endpoint))
		return DROP;
	/* back into the sender's own tap, or as if from the receiver's, so that the bridge carries it wherever the sender is */
	skb->mark = context->mark;
	return bpf_redirect(skb->ifindex, context->from ? 0 : BPF_F_INGRESS);
}

/*
 * Does the packet name the endpoint of this tap as its sender, or as its receiver? A verdict is taken on addresses: one that is not this endpoint's says
 * nothing about what may reach it. What is sent to a group is left to policy, which knows no endpoint there.
 */
static __always_inline int wrong_address(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
					 const struct endpoint *endpoint)
{
	if (context->from)
		return owns(context->slot, skb->ifindex, endpoint, &packet->source) ? 0 : REASON_SOURCE_ADDRESS;
	if (is_group(&packet->destination) || owns(context->slot, skb->ifindex, endpoint, &packet->destination))
		return 0;
	return REASON_NOT_FOR_ENDPOINT;
}

static __always_inline __u64 place(const struct endpoint *endpoint, __u32 direction)
{
	return (__u64)direction << 32 | endpoint->index;
}

/* The verdict of one side on the connection's first packet, rebuilt from its key. */
__noinline int judge_side(const struct context *context, const struct conn_key *key, __u32 originator_is_a, __u32 side,
				 struct verdict_value *decision)
{
	if (!context || !key || !decision)
		return 0;
	const struct address *originator = originator_is_a ? &key->a : &key->b;
	const struct address *responder = originator_is_a ? &key->b : &key->a;
	__u32 zero = 0;
	struct question *question = bpf_map_lookup_elem(&asked, &zero);
	if (!question)
		return 0;
	question->port = originator_is_a ? key->port_b : key->port_a;
	question->proto = key->proto;
	look_up(context->slot, originator, &question->end[ORIGINATOR]);
	look_up(context->slot, responder, &question->end[RESPONDER]);
	return judge(context->slot, side, question, decision);
}

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

static __always_inline void admit(struct conn *conn, __u32 side, const struct context *context, const struct verdict_value *decision,
				  const struct endpoint *endpoint)
{
	side &= 1;
	conn->rule[side] = decision->rule;
	conn->endpoint[side] = endpoint->index;
	conn->epoch[side] = context->epoch;
	if (decision->flags & VERDICT_LOG)
		conn->flags |= CONN_LOG;
}

/* The tap on this host that owns the packet's destination and may be delivered to directly: same zone, same segment, the right MAC. */
static __always_inline struct endpoint *direct_destination(struct __sk_buff *skb, const struct endpoint *source, __u32 ifindex)
{
	if (!ifindex || ifindex == skb->ifindex || !source->segment || skb->mark)
		return 0;
	struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &ifindex);
	if (!endpoint || (endpoint->flags & ENDPOINT_CLOSED) || endpoint->zone != source->zone || endpoint->segment != source->segment)
		return 0;
	__u8 *frame = (__u8 *)(long)skb->data;
	if (frame + 6 > (__u8 *)(long)skb->data_end || !same_mac(frame, endpoint->mac))
		return 0;
	return endpoint;
}

static __always_inline int hand_over(struct __sk_buff *skb, const struct context *context, __u32 ifindex)
{
	skb->mark = context->mark;
	return bpf_redirect(ifindex, 0);
}

/* The first packet of a connection, or the first that this table knows of; that it is this endpoint's own is proved here. */
__noinline int begin(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			    const struct endpoint *endpoint, const struct conn_key *key)
{
	if (!packet || !context || !endpoint || !key)
		return DROP;
	__u32 direction = context->from ? EGRESS : INGRESS;
	struct question question = { .port = packet->destination_port, .proto = packet->proto };
	look_up(context->slot, &packet->source, &question.end[ORIGINATOR]);
	if (context->from && !is_own(&question.end[ORIGINATOR], skb->ifindex, endpoint, &packet->source))
		return drop(packet, context, endpoint->index, REASON_SOURCE_ADDRESS);
	if (!begins(packet))
		return drop(packet, context, endpoint->index, packet->icmp_kind == ICMP_ERROR ? REASON_ICMP_ERROR : REASON_NO_CONNECTION);
	__u32 originator_is_a = same_address(&key->a, &packet->source) && key->port_a == packet->source_port;
	/* both ends alike: make_key put the sender last */
	if (originator_is_a && same_address(&key->b, &packet->source) && key->port_b == packet->source_port)
		originator_is_a = 0;
	__u32 side = context->from ? ORIGINATOR : RESPONDER;
	struct verdict_value decision = {};
	look_up(context->slot, &packet->destination, &question.end[RESPONDER]);
	if (!context->from && !is_group(&packet->destination) &&
	    !is_own(&question.end[RESPONDER], skb->ifindex, endpoint, &packet->destination))
		return drop(packet, context, endpoint->index, REASON_NOT_FOR_ENDPOINT);
	judge(context->slot, side, &question, &decision);
	if (decision.action != ACTION_ALLOW)
		return deny(skb, packet, context, &decision, place(endpoint, direction));

	/* too large for the stack; nothing of ours runs between here and the copy into the table */
	__u32 zero = 0;
	struct conn *conn = bpf_map_lookup_elem(&fresh, &zero);
	if (!conn)
		return DROP;
	__builtin_memset(conn, 0, sizeof(*conn));
	conn->flags = originator_is_a ? CONN_ORIGINATOR_IS_A : 0;
	conn->state = packet->proto == 6 ? STATE_SYN_SENT : STATE_UNREPLIED;
	conn->last_ns = now_ns();
	conn->packets[ORIGINATOR] = packet->packets;
	conn->bytes[ORIGINATOR] = packet->bytes;
	conn->end[ORIGINATOR] = packet->seq + packet->payload;
	__u32 ifindex = 0;
	struct endpoint *other = 0;
	struct verdict_value other_decision = {};
	if (!context->from) {
		admit(conn, RESPONDER, context, &decision, endpoint);
		conn->tap[RESPONDER] = skb->ifindex;
	} else {
		admit(conn, ORIGINATOR, context, &decision, endpoint);
		conn->tap[ORIGINATOR] = skb->ifindex;
		conn->looked[ORIGINATOR] = context->epoch;
		ifindex = question.end[RESPONDER].ifindex;
		other = context->mark ? direct_destination(skb, endpoint, ifindex) : 0;
		if (other) {
			judge(context->slot, RESPONDER, &question, &other_decision);
			if (other_decision.action != ACTION_ALLOW)
				return deny(skb, packet, context, &other_decision, place(other, INGRESS));
			conn->tap[RESPONDER] = ifindex;
			admit(conn, RESPONDER, context, &other_decision, other);
		}
	}
	if (bpf_map_update_elem(&conn_new, key, conn, BPF_ANY))
		return drop(packet, context, endpoint->index, REASON_CONNTRACK_FULL);
	count_rule(decision.rule, packet->packets, packet->bytes, 1);
	tell_flow(key, conn, side, EVENT_FLOW_START, 0);
	if (!other)
		return PASS;
	count_rule(other_decision.rule, packet->packets, packet->bytes, 1);
	tell_flow(key, conn, RESPONDER, EVENT_FLOW_START, 0);
	return hand_over(skb, context, ifindex);
}

/*
 * A side whose verdict is older than the plan in force (or was never taken) is judged again, from the connection's first packet. Returns 0 when it is
 * admitted, 1 when the packet begins a connection of its own (an entry made by the other end's tap opens nothing here), else the tc action.
 */
#define ADMITTED 0x100
#define BEGINS_ANEW 0x101
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
	__u32 originator_is_a = conn->flags & CONN_ORIGINATOR_IS_A;
	__u32 sender = same_address(originator_is_a ? &key->a : &key->b, &packet->source) &&
				       (originator_is_a ? key->port_a : key->port_b) == packet->source_port ?
			       ORIGINATOR :
			       RESPONDER;
	__u32 side = context->from ? sender : sender ^ 1;
	__u32 direction = side == ORIGINATOR ? EGRESS : INGRESS;
	int first = conn->epoch[side & 1] == 0;
	__u32 wrong = wrong_address(skb, packet, context, endpoint);
	if (wrong)
		return drop(packet, context, endpoint->index, wrong);
	if (first && sender == RESPONDER && begins(packet))
		return BEGINS_ANEW;
	if (first && !begins(packet))
		return drop(packet, context, endpoint->index, REASON_NO_CONNECTION);
	struct verdict_value decision = {};
	judge_side(context, key, originator_is_a, side, &decision);
	if (decision.action != ACTION_ALLOW)
		return first ? deny(skb, packet, context, &decision, place(endpoint, direction)) :
			       revoke(key, packet, conn, place(endpoint, direction));
	/* the entry may have been given to another connection meanwhile: it is not to inherit this one's verdict */
	conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return DROP;
	conn->tap[side & 1] = skb->ifindex;
	admit(conn, side, context, &decision, endpoint);
	if (first) {
		count_rule(decision.rule, 0, 0, 1);
		tell_flow(key, conn, side, EVENT_FLOW_START, 0);
	}
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
	__u32 originator_is_a = conn->flags & CONN_ORIGINATOR_IS_A;
	__u32 sender = conn->tap[ORIGINATOR] == skb->ifindex ? ORIGINATOR : RESPONDER;
	__u32 receiver = sender ^ 1;
	conn->looked[sender & 1] = context->epoch;
	__u32 ifindex = owner_of(context->slot, &packet->destination);
	struct endpoint *other = direct_destination(skb, endpoint, ifindex);
	if (!other) {
		conn->tap[receiver & 1] = 0;
		return ADMITTED;
	}
	int first = conn->epoch[receiver & 1] == 0;
	if (first && (sender == RESPONDER || !begins(packet))) {
		conn->tap[receiver & 1] = 0;
		return ADMITTED;
	}
	struct verdict_value decision = {};
	judge_side(context, key, originator_is_a, receiver, &decision);
	__u64 at = place(other, receiver == ORIGINATOR ? EGRESS : INGRESS);
	if (decision.action != ACTION_ALLOW)
		return first ? deny(skb, packet, context, &decision, at) : revoke(key, packet, conn, at);
	conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return DROP;
	admit(conn, receiver, context, &decision, other);
	conn->tap[receiver & 1] = ifindex;
	if (first) {
		count_rule(decision.rule, 0, 0, 1);
		tell_flow(key, conn, receiver, EVENT_FLOW_START, 0);
	}
	return ADMITTED;
}

static __always_inline int track(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
				 const struct endpoint *endpoint)
{
	struct conn_key key;
	__u64 now = now_ns();
	int source_is_a = make_key(&key, packet, endpoint->zone);
	struct conn *conn = find(&key, packet, now);
	if (!conn)
		return begin(skb, packet, context, endpoint, &key);
	__u32 sender = source_is_a == !!(conn->flags & CONN_ORIGINATOR_IS_A) ? ORIGINATOR : RESPONDER;
	__u32 receiver = sender ^ 1;
	__u32 side = context->from ? sender : receiver;
	if (!fits(packet, sender))
		return drop(packet, context, endpoint->index, REASON_NO_CONNECTION);
	if (conn->epoch[side & 1] != context->epoch || conn->tap[side & 1] != skb->ifindex) {
		int result = readmit(skb, packet, context, endpoint, &key);
		if (result == BEGINS_ANEW) {
			forget(&key);
			return begin(skb, packet, context, endpoint, &key);
		}
		if (result != ADMITTED)
			return result;
	}
	if (context->from && context->mark &&
	    (conn->looked[sender & 1] != context->epoch ||
	     (conn->tap[receiver & 1] && conn->epoch[receiver & 1] != context->epoch))) {
		int result = relook(skb, packet, context, endpoint, &key);
		if (result != ADMITTED)
			return result;
	}
	__u32 ifindex = context->from ? conn->tap[receiver & 1] : 0;
	int direct = ifindex && conn->epoch[receiver & 1] == context->epoch && direct_destination(skb, endpoint, ifindex);
	count_rule(conn->rule[side & 1], packet->packets, packet->bytes, 0);
	if (direct)
		count_rule(conn->rule[receiver & 1], packet->packets, packet->bytes, 0);
	/* the sender's tap has counted it already when it is on this host and in this zone */
	if (context->from || !conn->tap[sender & 1]) {
		if (seen(conn, &key, packet, sender, now))
			promote(&key, conn);
	}
	return direct ? hand_over(skb, context, ifindex) : PASS;
}

/* An ICMP error is as good as the connection it quotes (RFC 5927): that must be known, and its side here admitted. */
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
		return drop(packet, context, endpoint->index, REASON_ICMP_ERROR);
	__u32 originator_is_a = conn->flags & CONN_ORIGINATOR_IS_A;
	__u32 sender = source_is_a == !!originator_is_a ? ORIGINATOR : RESPONDER;
	__u32 side = (context->from ? sender ^ 1 : sender) & 1;
	if (conn->epoch[side] == 0)
		return drop(packet, context, endpoint->index, REASON_ICMP_ERROR);
	if (conn->epoch[side] != context->epoch) {
		struct verdict_value decision = {};
		judge_side(context, &key, originator_is_a, side, &decision);
		if (decision.action != ACTION_ALLOW)
			return drop(packet, context, endpoint->index, REASON_ICMP_ERROR);
	}
	count_rule(conn->rule[side], packet->packets, packet->bytes, 0);
	return PASS;
}

/* Asking for an address and the answer to it (RFC 2131, RFC 8415) need no rule; serving one is never allowed. */
#define NOT_DHCP 0x102 /* policy decides */
static __always_inline int dhcp(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
				const struct endpoint *endpoint)
{
	int v4 = packet->l4 == ETH_HEADER + 20;
	__u16 client = v4 ? 68 : 546, server = v4 ? 67 : 547;
	struct budget *budget;
	__u32 index = endpoint->index;
	if (context->from && packet->source_port == server && packet->destination_port == client)
		return drop(packet, context, index, REASON_DHCP_SERVER);
	if (context->from && packet->source_port == client && packet->destination_port == server && packet->to_group &&
	    is_group(&packet->destination)) {
		if (!(v4 && is_zero(&packet->source)) && !owns(context->slot, skb->ifindex, endpoint, &packet->source))
			return drop(packet, context, index, REASON_SOURCE_ADDRESS);
		budget = bpf_map_lookup_elem(&budgets, &index);
		if (budget)
			*(v4 ? &budget->dhcp4_ns : &budget->dhcp6_ns) = now_ns();
		return PASS;
	}
	if (!context->from && packet->source_port == server && packet->destination_port == client) {
		budget = bpf_map_lookup_elem(&budgets, &index);
		__u64 asked = !budget ? 0 : v4 ? budget->dhcp4_ns : budget->dhcp6_ns;
		if (asked && now_ns() - asked < DHCP_WINDOW_NS)
			return PASS;
	}
	return NOT_DHCP;
}

/* Neighbour discovery and multicast listener reports need no rule (RFC 4890 §4.3.1); what only routers send does not leave a VM. */
__noinline int link_icmp(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
				const struct endpoint *endpoint)
{
	if (!packet || !context || !endpoint)
		return DROP;
	int reason = 0;
	if (packet->icmp_kind == ICMP_ROUTING) {
		/* an advertisement may reach a VM; a redirect may not */
		if (context->from || packet->proto == 1 || packet->icmp_type == 137)
			reason = REASON_ROUTER_ADVERT;
		else if (packet->hop_limit != 255)
			reason = REASON_ND_SOURCE;
	} else if (packet->icmp_kind == ICMP_NEIGHBOUR) {
		if (context->from)
			reason = guard_neighbour(skb, packet, endpoint, context->slot);
		else if (packet->hop_limit != 255)
			reason = REASON_ND_SOURCE;
	} else if (packet->hop_limit != 1 || !packet->to_group || !is_group(&packet->destination)) {
		/* listener reports and queries go to groups: to an address they would be a tunnel past policy */
		reason = REASON_ND_SOURCE;
	} else if (context->from) {
		if (packet->icmp_type == 130)
			reason = REASON_ROUTER_ADVERT;
		else if (!is_zero(&packet->source) && !owns(context->slot, skb->ifindex, endpoint, &packet->source))
			reason = REASON_SOURCE_ADDRESS;
	}
	return reason ? drop(packet, context, endpoint->index, reason) : PASS;
}

static __always_inline int enforce(struct __sk_buff *skb, __u32 from)
{
	__u32 zero = 0, ifindex = skb->ifindex;
	struct control *control = bpf_map_lookup_elem(&control_map, &zero);
	if (!control)
		return DROP;
	/* handed over by from_vm, or an answer on its way: judged already */
	if (control->mark && skb->mark == control->mark) {
		skb->mark = 0;
		return PASS;
	}
	struct packet packet = {};
	__u64 generation = *(volatile __u64 *)&control->generation;
	struct context context = { .slot = generation & 1, .epoch = generation >> 1, .mark = control->mark, .from = from };
	pull_headers(skb);
	packet.packets = skb->gso_segs ? skb->gso_segs : 1;
	packet.bytes = skb->len > ETH_HEADER ? skb->len - ETH_HEADER : 0;
	struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &ifindex);
	__u8 *frame = (__u8 *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	if ((void *)(frame + ETH_HEADER) > end)
		return drop(&packet, &context, endpoint ? endpoint->index : 0, REASON_MALFORMED);
	__builtin_memcpy(packet.source_mac, frame + 6, 6);
	if (!endpoint || (endpoint->flags & ENDPOINT_CLOSED) || !context.epoch)
		return drop(&packet, &context, endpoint ? endpoint->index : 0, REASON_NO_PLAN);
	packet.to_group = frame[0] & 1;
	if (from && !same_mac(frame + 6, endpoint->mac))
		return drop(&packet, &context, endpoint->index, REASON_SOURCE_MAC);
	if (!from && !packet.to_group && !same_mac(frame, endpoint->mac))
		return drop(&packet, &context, endpoint->index, REASON_NOT_FOR_ENDPOINT);
	if (skb->vlan_present)
		return drop(&packet, &context, endpoint->index, REASON_VLAN_TAG);
	int reason;
	switch (load16(frame + 12)) {
	case 0x0800:
		reason = parse_ipv4(skb, &packet, frame + ETH_HEADER, end);
		break;
	case 0x86dd:
		reason = parse_ipv6(skb, &packet, frame + ETH_HEADER, end);
		break;
	case 0x0806:
		reason = from ? guard_arp(skb, endpoint, context.slot) : 0;
		return reason ? drop(&packet, &context, endpoint->index, reason) : PASS;
	case 0x8035:
		reason = from ? guard_rarp(skb, endpoint) : REASON_NON_IP;
		return reason ? drop(&packet, &context, endpoint->index, reason) : PASS;
	case 0x8100:
	case 0x88a8:
		return drop(&packet, &context, endpoint->index, REASON_VLAN_TAG);
	default:
		return drop(&packet, &context, endpoint->index, REASON_NON_IP);
	}
	if (reason)
		return drop(&packet, &context, endpoint->index, reason);
	if (packet.proto == 17) {
		int fate = dhcp(skb, &packet, &context, endpoint);
		if (fate != NOT_DHCP)
			return fate;
	} else if (packet.icmp_kind == ICMP_ERROR) {
		return related(skb, &packet, &context, endpoint);
	} else if (packet.icmp_kind >= ICMP_NEIGHBOUR && packet.icmp_kind <= ICMP_ROUTING) {
		return link_icmp(skb, &packet, &context, endpoint);
	}
	return track(skb, &packet, &context, endpoint);
}

SEC("tc")
int from_vm(struct __sk_buff *skb)
{
	return enforce(skb, 1);
}

SEC("tc")
int to_vm(struct __sk_buff *skb)
{
	return enforce(skb, 0);
}

/* One store of one word: a copy by the kernel's map update could be seen half done. */
SEC("syscall")
int set_control(struct set_control_args *args)
{
	__u32 zero = 0;
	struct control *control = bpf_map_lookup_elem(&control_map, &zero);
	if (!control)
		return 1;
	if (args->mark)
		control->mark = args->mark;
	if (args->tick_ns)
		control->tick_ns = args->tick_ns;
	*(volatile __u64 *)&control->generation = args->generation;
	return 0;
}

struct collecting {
	__u64 ended;
	__u64 established; /* the map gone through is conn_est */
};

struct bpf_map;
static long collect_one(struct bpf_map *map, struct conn_key *key, struct conn *conn, struct collecting *args)
{
	if (!is_expired(conn, key->proto, now_ns()))
		return 0;
	struct conn_key copy = *key;
	tell_end(&copy, conn, END_TIMEOUT);
	if (bpf_map_delete_elem(map, &copy) == 0) {
		args->ended += 1;
		__u32 *used = args->established ? zone_count(copy.zone) : 0;
		if (used)
			__sync_fetch_and_add(used, -1);
	}
	return 0;
}

SEC("syscall")
int collect(struct collect_args *args)
{
	struct collecting total = { .established = 1 };
	bpf_for_each_map_elem(&conn_est, collect_one, &total, 0);
	total.established = 0;
	bpf_for_each_map_elem(&conn_new, collect_one, &total, 0);
	args->ended = total.ended;
	return 0;
}

/* GPL-only helpers are none of ours to choose; the kernel asks for the word. */
char _license[] SEC("license") = "Dual MIT/GPL";
