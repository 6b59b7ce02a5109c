/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Verdict of a new connection at one side, as core/model/host-plan.ts defines it. Slot is read once per packet by the caller. */
#pragma once
#include "maps.h"

#define WORLD_IDENTITY 1
#define IPPROTO_ICMP_ 1
#define IPPROTO_TCP_ 6
#define IPPROTO_UDP_ 17
#define IPPROTO_ICMPV6_ 58
#define IPPROTO_SCTP_ 132

/* What both sides' verdicts are taken on: the first packet's ends, by side, each looked up once, and its destination port or ICMP type. */
struct question {
	struct address_value end[2];
	__u16 port;
	__u8 proto;
	__u8 pad;
};

static __always_inline int is_mapped4(const struct address *a)
{
	return a->word[0] == 0 && a->word[1] == 0 && a->word[2] == bpf_htonl(0xffff);
}

/* The tap on this host that owns the address; 0 = none. */
static __always_inline __u32 owner_of(__u32 slot, const struct address *a)
{
	void *table = bpf_map_lookup_elem(&addresses, &slot);
	struct address_value *value = table ? bpf_map_lookup_elem(table, a) : 0;
	return value ? value->ifindex : 0;
}

/* Identity and owning tap of an address. */
__noinline int look_up(__u32 slot, const struct address *a, struct address_value *out)
{
	if (!a || !out)
		return 0;
	out->identity = 0;
	out->ifindex = 0;
	void *table = bpf_map_lookup_elem(&addresses, &slot);
	struct address_value *value = table ? bpf_map_lookup_elem(table, a) : 0;
	if (value) {
		*out = *value;
		return 0;
	}
	__u32 *identity = 0;
	if (is_mapped4(a)) {
		struct network4 key = { .length = 32, .word = a->word[3] };
		table = bpf_map_lookup_elem(&networks4, &slot);
		identity = table ? bpf_map_lookup_elem(table, &key) : 0;
	} else {
		struct network6 key = { .length = 128, .address = *a };
		table = bpf_map_lookup_elem(&networks6, &slot);
		identity = table ? bpf_map_lookup_elem(table, &key) : 0;
	}
	out->identity = identity ? *identity : WORLD_IDENTITY;
	return 0;
}

static __always_inline struct verdict_value *row(void *table, __u32 local, __u32 peer, __u16 class, __u8 direction)
{
	struct verdict_key key = { .local = local, .peer = peer, .class = class, .direction = direction };
	return bpf_map_lookup_elem(table, &key);
}

/* The verdict of one side. Fills `out`; anything missing is a drop. */
__noinline int judge(__u32 slot, __u32 side, const struct question *question, struct verdict_value *out)
{
	if (!question || !out)
		return 0;
	side &= 1;
	__u32 direction = side == ORIGINATOR ? EGRESS : INGRESS;
	__u16 port = question->port;
	__u8 proto = question->proto;
	__u16 class = 0;
	__builtin_memset(out, 0, sizeof(*out));
	out->action = ACTION_DROP;
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&services, &slot);
	struct services *service = table ? bpf_map_lookup_elem(table, &zero) : 0;
	if (!service)
		return 0;
	out->rule = service->default_rule;
	out->flags = service->default_flags;
	out->rate = service->default_rate;
	if (proto == IPPROTO_TCP_)
		class = service->tcp[port];
	else if (proto == IPPROTO_UDP_)
		class = service->udp[port];
	else if (proto == IPPROTO_SCTP_)
		class = service->sctp[port];
	else if (proto == IPPROTO_ICMP_)
		class = service->icmp[port & 255];
	else if (proto == IPPROTO_ICMPV6_)
		class = service->icmpv6[port & 255];
	else
		class = service->proto[proto];
	__u32 local_id = question->end[side].identity, peer_id = question->end[side ^ 1].identity;
	table = bpf_map_lookup_elem(&verdicts, &slot);
	if (!table)
		return 0;
	struct verdict_value *value = row(table, local_id, peer_id, class, direction);
	if (!value && class)
		value = row(table, local_id, peer_id, 0, direction);
	if (!value)
		value = row(table, local_id, 0, class, direction);
	if (!value && class)
		value = row(table, local_id, 0, 0, direction);
	if (!value)
		return 0;
	*out = *value;
	return 0;
}
