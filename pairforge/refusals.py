"""Refusals: the one place that tells an answer that only declines from one that helps."""

from __future__ import annotations

import re

_SHORT = 700
_HELP = (
    r"(?:help(?!\sbut\b)|assist|comply|fulfil\w*|provide|answer|generate|create|write|produce|support|do\s(?:that|this)|engage|participate"
    r"|discuss|give|offer|share|respond|complete|continue|proceed|process|accommodate|facilitate|be\sable\sto\shelp|satisfy)"
)
_WHAT = (
    r"(?:\w+['’]?\w*\s){0,4}?(?:(?:with|to|in|on|about|for|by)\s)?(?:that|this|your|it|you|such|any|the|these|those|instructions?"
    r"|information|content|advice|guidance|assistance|requests?|questions?)\b"
)
_CANNOT = (
    r"(?:can\s?not|can['’]?t|am\s(?:not\sable|unable)\sto|['’]?m\s(?:not\sable|unable)\sto|won['’]?t|will\snot"
    r"|refuse\sto|must\sdecline\sto)"
)
_OPENING = (
    r"(?:(?:i['’]?m|i\sam|we['’]?re)\s(?:very\s|so\s|really\s|truly\s)?(?:sorry|afraid)|(?:my\s)?apologies|i\s(?:do\s)?apologi[sz]e"
    r"|sorry|unfortunately|as\san?\s(?:\w+\s){0,4}?(?:ai|assistant|model)\b[^,.]{0,60}|no)"
    r"(?:[\s,.;:!—–-]+(?:but|however|that))?[\s,.;:!—–-]+"
)
_REFUSAL = re.compile(
    rf"(?:{_OPENING}){{0,3}}(?:i\s{_CANNOT}|i{_CANNOT}|we\s{_CANNOT})\s(?:{_HELP}(?:\s?{_WHAT}|\W*\Z)|do\s(?:that|this|it|so)\b)"
    rf"|(?:{_OPENING}){{0,3}}i\s(?:must|have\sto)\s(?:respectfully\s)?(?:decline|refuse)\b"
    rf"|(?:{_OPENING}){{0,3}}i\s(?:respectfully\s)?(?:decline|refuse)(?:\sto\s{_HELP}\b|\W*\Z)"
    rf"|(?:{_OPENING}){{1,3}}(?:that|this)(?:['’]s|\sis)\s(?:not\s)?something\s(?:that\s)?i\s(?:can['’]?t|cannot|can|am\sable)"
    rf"|(?:{_OPENING}){{0,3}}(?:(?:i['’]?m|i\sam)\snot|i\s(?:don['’]?t|do\snot)\sfeel)\s(?:really\s)?comfortable\s(?:with\s)?(?:that|this|your|\w+ing)\b"
    rf"|(?:{_OPENING}){{0,3}}(?:i['’]d|i\swould)\s(?:rather|prefer)\s(?:to\s)?not\s(?:to\s)?{_HELP}\b"
    r"|(?:非常|很|十分)?(?:抱歉|对不起|對不起|不好意思)[,，。!！\s]*(?:但是?|作为[^,，。]{0,20}[,，])?\s*(?:我|本人)?(?:无法|不能|沒辦法|没办法|没法|無法|不可以|不会|不便)"
    r"(?:为您|为你|给您|向您|提供|帮助|协助|回答|满足|完成|生成|处理|執行|执行|参与|讨论)"
    r"|作为(?:一个|一名)?(?:人工智能|ai|语言模型)[^,，。]{0,20}[,，]\s*我(?:无法|不能)(?:提供|帮助|协助|回答|满足|生成|参与)"
    r"|我(?:无法|無法|不能|没法)(?:提供(?:此类|这类|该|任何)|协助(?:您|你)|帮助(?:您|你)|满足(?:您|你)|回答(?:这个|该|此))"
    r"|(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい)[がけれどもで、。,\s]*[^。]{0,60}(?:できません|できかねます|お答えできません|お手伝いできません)"
    r"|(?:죄송(?:합니다|하지만)|미안(?:합니다|하지만))[만,.\s]*[^.]{0,60}(?:없습니다|어렵습니다|않습니다)"
    r"|(?:lo\ssiento|disculpa|perdón|lamentablemente)[\s,.!]+(?:pero\s|mucho[\s,.]+)?(?:como\s[^,]{0,60},\s)?(?:no\s(?:puedo|podemos|me\ses\sposible))\s"
    r"(?:ayud\w*|proporcion\w*|cumpl\w*|asist\w*|respond\w*|complet\w*|particip\w*|ofrec\w*|dar\w*|gener\w*)"
    r"|no\spuedo\s(?:ayudar\w*|proporcionar\w*|cumplir|asistir\w*)\s(?:con|esa?|est[ae]|a)\b"
    r"|(?:je\s(?:suis\s)?(?:vraiment\s)?(?:désolée?|navrée?)|désolée?|malheureusement)[\s,.!]+(?:mais\s)?(?:en\stant\s[^,]{0,60},\s)?je\sne\s"
    r"(?:peux|suis\spas\sen\smesure|puis)\s"
    r"|je\sne\s(?:peux|puis)\spas\s(?:vous\s|t['’])?(?:aider|fournir|répondre|accéder)"
    r"|(?:es\stut\smir\s(?:sehr\s)?leid|tut\smir\sleid|entschuldigung|leider|sorry)[\s,.!]+(?:aber\s)?(?:als\s[^,]{0,60}\s)?(?:ich\s(?:kann|darf)|(?:kann|darf)\sich|da(?:bei|mit)\skann\sich)"
    r"\s(?:\w+\s){0,5}?(?:nicht|keine?n?)\b"
    r"|ich\s(?:kann|darf)\s(?:\w+\s){0,5}?nicht\s(?:\w+\s){0,2}?(?:helfen|beantworten)\b"
    r"|(?:desculpe|sinto\smuito|lamento|infelizmente)[\s,.!]+(?:mas\s)?(?:como\s[^,]{0,60},\s)?(?:eu\s)?não\s(?:posso|consigo)\s"
    r"(?:ajud\w*|fornec\w*|cumpr\w*|respond\w*|particip\w*|atend\w*|auxili\w*)"
    r"|(?:mi\sdispiace|spiacente|purtroppo)[\s,.!]+(?:ma\s)?(?:come\s[^,]{0,60},\s)?non\s(?:posso|sono\sin\sgrado\sdi)\s"
    r"|(?:извините|простите|к\sсожалению|мне\sжаль)[\s,.!]+(?:но\s)?(?:как\s[^,]{0,60},\s)?я\sне\s(?:могу|в\sсостоянии|буду)\s"
    r"|(?:عذر[اًا]+|آسف|أعتذر)[\s,،.]+(?:لكن\s|ولكن\s)?(?:لا\s(?:أستطيع|يمكنني)|ليس\sبإمكاني)"
    r"|(?:przepraszam|przykro\smi|niestety)[\s,.!]+(?:ale\s)?nie\smogę\s|(?:het\sspijt\sme|sorry|helaas)[\s,.!]+(?:maar\s)?(?:ik\skan|kan\sik)\s(?:\w+\s){0,4}?niet\b"
    r"|(?:üzgünüm|maalesef)[\s,.!]+(?:ama\s|ancak\s)?[^.]{0,60}(?:[ea]mem|amam|emiyorum|amıyorum)|(?:xin\slỗi|rất\stiếc)[\s,.!]+(?:nhưng\s)?tôi\skhông\sthể\s"
    r"|maaf[\s,.!]+(?:tapi\s|tetapi\s)?(?:(?:saya|aku)\s)?tidak\s(?:bisa|dapat)\s",
    re.S,
)
_FIRST = re.compile(
    r"\W*(?:i\s|i['’]|we\s|sorry|my\sapol|apolog|unfort|as\san?\s|no[,.\s]|lo\ss|disc|perd|lament|je\s|dés|malh|es\st|tut\s|ents|leid"
    r"|desc|sinto|infel|mi\sd|spiac|purt|przep|przyk|niest|het\s|hela|üzg|maal|maaf|xin|rất|ich\s|[抱对對不非很十作我申すご죄미ипкмعآأ])",
    re.I,
)


def refuses(text: str) -> bool:
    """Return whether a short answer does nothing but decline: longer ones mostly help with something."""
    if len(text) > _SHORT or _FIRST.match(text) is None:
        return False
    return _REFUSAL.match(text.strip(" \t\r\n\"'*").lower()) is not None
