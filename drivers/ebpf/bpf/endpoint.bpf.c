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
#include "link.h"
#include "related.h"
#include "steer.h"
#include "track.h"

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
	__u32 inspected = control->mark && skb->mark == inspected_mark(control->mark);
	if (inspected && from)
		return PASS;
	if (inspected)
		skb->mark = 0;
	struct packet packet = {};
	__u64 generation = *(volatile __u64 *)&control->generation;
	struct context context = { .slot = generation & 1, .epoch = generation >> 1, .mark = control->mark, .from = from,
				   .inspected = inspected };
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
		int fate = related(skb, &packet, &context, endpoint);
		return fate == UNRELATED ? alone(skb, &packet, &context, endpoint, REASON_ICMP_ERROR) : fate;
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

SEC("tc")
int from_gateway(struct __sk_buff *skb)
{
	return from_gateway_port(skb);
}

/* Into a gateway goes only what we send there. */
SEC("tc")
int to_gateway(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct control *control = bpf_map_lookup_elem(&control_map, &zero);
	if (!control || !control->mark || skb->mark != control->mark)
		return DROP;
	skb->mark = 0;
	return PASS;
}

/* Run by the driver on a frame that names the gateway's port before its number: sends it in there. */
SEC("tc")
int send_probe(struct __sk_buff *skb)
{
	__u32 zero = 0, at[3];
	struct control *control = bpf_map_lookup_elem(&control_map, &zero);
	if (!control || bpf_skb_load_bytes(skb, ETH_HEADER + 8, at, 4) || !bpf_map_lookup_elem(&gateway_ports, &at[0]))
		return DROP;
	skb->mark = control->mark;
	return bpf_clone_redirect(skb, at[0], 0) ? DROP : PASS;
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

#include "carry.h"

/* GPL-only helpers are none of ours to choose; the kernel asks for the word. */
char _license[] SEC("license") = "Dual MIT/GPL";
