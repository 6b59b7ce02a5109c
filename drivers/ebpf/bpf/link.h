/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What a link needs and no rule gives: DHCP, neighbour discovery, listener reports. */
#pragma once
#include "context.h"

#define DHCP_WINDOW_NS (60 * SECOND_NS)

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
