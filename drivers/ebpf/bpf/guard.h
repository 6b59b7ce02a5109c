/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What an endpoint may say about itself: addresses, ARP, neighbour discovery. Each returns 0 or the reason of the drop. */
#pragma once
#include "maps.h"
#include "packet.h"
#include "verdict.h"

static __always_inline int is_zero(const struct address *a)
{
	return !a->word[0] && !a->word[1] && !a->word[3] && (!a->word[2] || a->word[2] == bpf_htonl(0xffff));
}

static __always_inline int same_address(const struct address *a, const struct address *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] && a->word[3] == b->word[3];
}

static __always_inline int same_mac(const __u8 *a, const __u8 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] && a[5] == b[5];
}

/* fe80::/64 with the interface identifier made from the MAC (RFC 4291 appendix A). */
static __always_inline int is_own_link_local(const struct address *a, const __u8 *mac)
{
	const __u8 *byte = (const __u8 *)a;
	return a->word[0] == bpf_htonl(0xfe800000) && a->word[1] == 0 && byte[8] == (mac[0] ^ 2) && byte[9] == mac[1] &&
	       byte[10] == mac[2] && byte[11] == 0xff && byte[12] == 0xfe && byte[13] == mac[3] && byte[14] == mac[4] &&
	       byte[15] == mac[5];
}

/* The same for an address that is looked up already. */
static __always_inline int is_own(const struct address_value *found, __u32 ifindex, const struct endpoint *endpoint,
				  const struct address *a)
{
	return found->ifindex == ifindex || is_own_link_local(a, endpoint->mac);
}

static __always_inline int owns(__u32 slot, __u32 ifindex, const struct endpoint *endpoint, const struct address *a)
{
	return owner_of(slot, a) == ifindex || is_own_link_local(a, endpoint->mac);
}

/* Multicast or broadcast: nobody's own. Reserved IPv4 (240/4) counts as such. */
static __always_inline int is_group(const struct address *a)
{
	const __u8 *byte = (const __u8 *)a;
	return is_mapped4(a) ? byte[12] >= 224 : byte[0] == 0xff;
}

/* ARP over Ethernet (RFC 826): the sender's MAC and address are the endpoint's own, or the address is 0.0.0.0 (a probe, RFC 5227). */
__noinline int guard_arp(struct __sk_buff *skb, const struct endpoint *endpoint, __u32 slot)
{
	if (!endpoint)
		return REASON_MALFORMED;
	__u8 arp[28];
	if (bpf_skb_load_bytes(skb, ETH_HEADER, arp, sizeof(arp)))
		return REASON_MALFORMED;
	if (load16(arp) != 1 || load16(arp + 2) != 0x0800 || arp[4] != 6 || arp[5] != 4 || load16(arp + 6) < 1 ||
	    load16(arp + 6) > 2)
		return REASON_MALFORMED;
	if (!same_mac(arp + 8, endpoint->mac))
		return REASON_ARP_SOURCE;
	struct address sender = { .word = { 0, 0, bpf_htonl(0xffff), 0 } };
	__builtin_memcpy(&sender.word[3], arp + 14, 4);
	if (sender.word[3] == 0)
		return load16(arp + 6) == 1 ? 0 : REASON_ARP_SOURCE;
	return owner_of(slot, &sender) == skb->ifindex ? 0 : REASON_ARP_SOURCE;
}

/* Reverse ARP (RFC 903) is what QEMU sends after a migration, so that switches learn the new place: own MAC twice, no address. */
__noinline int guard_rarp(struct __sk_buff *skb, const struct endpoint *endpoint)
{
	if (!endpoint)
		return REASON_MALFORMED;
	__u8 arp[28];
	if (bpf_skb_load_bytes(skb, ETH_HEADER, arp, sizeof(arp)))
		return REASON_MALFORMED;
	if (load16(arp) != 1 || load16(arp + 2) != 0x0800 || arp[4] != 6 || arp[5] != 4 || load16(arp + 6) != 3)
		return REASON_NON_IP;
	if (!same_mac(arp + 8, endpoint->mac) || !same_mac(arp + 18, endpoint->mac) || load32(arp + 14) || load32(arp + 24))
		return REASON_ARP_SOURCE;
	return 0;
}

/* Router and neighbour solicitations and neighbour advertisements (RFC 4861) that the endpoint sends. */
__noinline int guard_neighbour(struct __sk_buff *skb, const struct packet *packet, const struct endpoint *endpoint,
				      __u32 slot)
{
	if (!packet || !endpoint)
		return REASON_MALFORMED;
	__u32 ifindex = skb->ifindex;
	if (packet->hop_limit != 255 || packet->icmp_code != 0)
		return REASON_ND_SOURCE;
	int unspecified = is_zero(&packet->source);
	if (!unspecified && !owns(slot, ifindex, endpoint, &packet->source))
		return REASON_ND_SOURCE;
	__u32 at = ETH_HEADER + 40 + 8, wanted = 1;
	if (packet->icmp_type != 133) {
		struct address target;
		if (bpf_skb_load_bytes(skb, at, &target, sizeof(target)))
			return REASON_MALFORMED;
		at += 16;
		/* duplicate address detection asks for the own address; an advertisement speaks for it */
		if ((unspecified || packet->icmp_type == 136) && !owns(slot, ifindex, endpoint, &target))
			return REASON_ND_SOURCE;
		if (packet->icmp_type == 136) {
			if (unspecified)
				return REASON_ND_SOURCE;
			wanted = 2;
		}
	}
	__u32 end = ETH_HEADER + packet->bytes;
	for (int i = 0; i < 8; i++) {
		__u8 option[8];
		if (at + 8 > end)
			return at == end ? 0 : REASON_MALFORMED;
		if (bpf_skb_load_bytes(skb, at, option, sizeof(option)) || option[1] == 0)
			return REASON_MALFORMED;
		if (option[0] == 1 || option[0] == 2) {
			if (option[0] != wanted || unspecified || !same_mac(option + 2, endpoint->mac))
				return REASON_ND_SOURCE;
		}
		at += option[1] * 8;
	}
	return at == end ? 0 : REASON_MALFORMED;
}
