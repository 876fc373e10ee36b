"""Error messages that a program stored in place of an answer, as opposed to answers about errors."""

from __future__ import annotations

import json
import re

from ..text import INVISIBLE, characters

_SHORT = 500
"""Longer texts are answers, unless they are a dump of some machine's."""
_WRAPPED = " \t\r\n\"'`*_~<>[](){}#-=!?.:;,|$\\/⚠️❌🚫🛑"
_UNSEEN = frozenset(characters(INVISIBLE))
_EMPTY = """
null none nan nil n/a na #n/a undefined nonetype void error err exception failed timeout tbd todo 无回答 无 空 なし
#error! #ref! #value! #name? #num! #div/0! #null! econnrefused econnreset etimedout enotfound
"""
# A full stop makes a sentence of them: "None." may be an answer, "Null." is not.
_WITH_A_STOP = {
    "object object", "no response", "no answer", "no output", "no completion", "no content", "not available",
    "response error", "api error", "нет ответа", "keine antwort", "sin respuesta",
    "null", "nan", "n/a", "undefined", "error", "timeout",
}  # fmt: skip
_NOTHING = frozenset((*_EMPTY.split(), *_WITH_A_STOP, *(f"{said}." for said in _WITH_A_STOP)))
# What an error may begin with: other texts are hardly looked at.
_BEGINNINGS = """
a access an and anthropic api apologies attempt authentication azure backend bad bash blocked bot can cannot chatbot
class claude code completion connection content context core could couldn credit credits cuda curl daily decode dns
eai econnrefused econnreset empty encountered engine enotfound epipe err error etimedout exception failed failure
fatal filtered flagged forbidden gateway gemini generation got gpt gpu hmm hmmm http https i incorrect inference input
insufficient internal invalid it job json killed length litellm llm malformed max maximum message missing model
network no npm null ollama oops openai operation our out output overloaded panic parse parsing permission please
process prompt proxy query quota ran rate read reply request resource response result retries retry runtime
segmentation server service site socket some something sorry ssh ssl status stream streaming system task text that the
there this thread time timeout token tokenizer too try uh unable unauthorized uncaught unexpected unhandled unknown
upstream vllm we website whoops you
"""
_BEGINNINGS_ELSEWHERE = """
błąd chyba desculpe désolé désolée ein entschuldigung erreur erro error errore eroare es fehler fehlermeldung fel fout
ha hata houve hubo impossibile impossible kesalahan lo lỗi mi nie não no ocorreu ocurrió oups se si une ups virhe
"""
_FIRST_LETTERS = frozenset("错出异发系服网请接未生報报錯發抱对很非遇调获解连模无エ応回レ오응답онпвикмخत")
_FIRST, _FIRST_ELSEWHERE = frozenset(_BEGINNINGS.split()), frozenset(_BEGINNINGS_ELSEWHERE.split())
_TASK = (
    r"(?:response|answer|reply|output|completion|result|request|message|prompt|query|text|content|data|json|model|url)"
)
_DO = (
    r"(?:generat|get|fetch|obtain|retriev|pars|decod|load|connect|process|complet|creat|call|reach|communicat|produc"
    r"|respond|receiv|allocat|establish|extract|invok|contact|render|perform|comput|execut)\w*"
)
_THING = (
    r"(?:host|port|socket|database|object|attribute|tokens?|tensors?|memory|image|audio|function|tool|file|module|chat)"
)
_MACHINE = r"(?:server|service|model|system|api|engine|site|bot|chatbot|website|backend|request|response|connection)s?"
_WHILE = (
    rf"(?:\s(?:while|when|during)\b.*|\s(?:in|with|on|from)\s(?:the\s|your\s|our\s|this\s)?{_MACHINE}\b.*|\s{_DO}\s.*)"
)
_ENGLISH = (
    r"error[*_`]*\s*(?:(?:code|status|no\.?|number|message|type)\s*)?[:#=(\]>–—-].*"
    r"|error\s+[45]\d\d\b(?!\s(?:means|is|was|are|indicates|occurs|stands|refers|happens|tells|says|usually|typically)\b).*"
    rf"|error\s+(?:occurred\b.*|\w*\W*\Z)|error{_WHILE}|err(?:or)?_\w+\W*"
    r"|exception\s(?:in\sthread|caught|raised|thrown|was\sthrown|occur).*|uncaught\s.*?(?:error|exception).*"
    r"|upstream\s(?:connect|request)\s?error.*"
    r"|(?:api|llm|model|server|network|connection|request|response|generation|completion|inference|parsing|parse|decode"
    r"|json|openai|anthropic|gemini|claude|gpt|azure|http|runtime|system|internal|unknown|unexpected|fatal|stream\w*"
    r"|timeout|time-?out|proxy|ssl|dns|socket|read|gateway|tokeni[sz]\w+|cuda|gpu|ollama|vllm|litellm|overloaded)"
    r"[\s_-](?:\w+[\s_-])?(?:error|errored|fail(?:ed|ure)?|exception|time(?:d\s?|-)?out|refused|reset|aborted|overloaded"
    r"|closed|unavailable|cancell?ed|interrupted|lost|exceeded|exhausted|not\sfound)(?:\W.{0,200})?"
    rf"|(?:failed|unable|could\snot|couldn['’]t|can(?:no|['’])t|failure)\s(?:to\s)?{_DO}"
    rf"(?:\W*\Z|:\s.{{0,160}}|\W+(?:\w+\W+){{0,3}}?(?:{_TASK}|{_MACHINE}|{_THING})s?\b.{{0,160}})"
    r"|(?:unhandled|uncaught)\s(?:promise\s)?(?:rejection|exception|error)\b.*|thread\s['\"][^'\"]*['\"]\spanicked\b.*"
    r"|e(?:connrefused|connreset|timedout|notfound|pipe|ai_again)\b.*|class\s['\"][\w.]*(?:error|exception|interrupt)\b.*"
    r"|(?:max(?:imum)?\s)?(?:retries|retry\s(?:limit|count|attempts))\s(?:exceeded|reached|exhausted).*"
    r"|you(?:['’]ve|\shave)?\s(?:exceeded|reached|hit|run\sout\sof)\s(?:your|the)\s(?:\w+\s){0,2}"
    r"(?:quota|limit|usage|credits?|requests?)\b.*"
    r"|insufficient[\s_](?:quota|credits?|balance|permissions?|funds)\b.{0,160}|too\smany\s(?:requests|tokens)\b.*"
    r"|this\smodel['’]s\smaximum\scontext\slength.*"
    r"|(?:the\s)?(?:max(?:imum)?\s)?(?:context|token|prompt|input)\s(?:length|limit|window)\s(?:was\s|is\s|has\sbeen\s)?"
    r"(?:exceeded|too\slong)\b.*"
    r"|(?:invalid|incorrect|missing|expired|no)\s(?:api[\s_-]?key|access\stoken|credentials)\b.*"
    r"|(?:permission|access)\sdenied\b.{0,120}|authentication\s(?:failed|required)\b.*|(?:unauthorized|forbidden)\W*"
    r"|(?:the\s|this\s|your\s)?(?:response|output|prompt|content|completion)\s(?:was|has\sbeen|is)\s"
    r"(?:filtered|blocked|flagged|truncated|empty)(?:\s(?:by|due|because|as|for)\s.*|\W*)"
    r"|(?:blocked|filtered|flagged)\s(?:by|due\sto)\s.*|content[\s_](?:filter\w*|policy\sviolation)(?:\W.{0,200})?"
    # What may follow an apology.
    r"|(?:(?:(?:(?:i|we)(?:['’]m|['’]re|\ am|\ are)\ )?(?:very\ |so\ |really\ )?sorry|oops|uh[\ -]oh|hmm+|whoops"
    r"|apologies|(?:i|we)\ apologi[sz]e)(?:\ for\ (?:the|any|this)\ \w+)?[\s,.!:;–—-]*(?:but\ )?)?(?:"
    r"(?:(?:i|we)(?:['’]ve|\shave)?\s)?(?:an?|there(?:['’]s|\swas|\shas\sbeen|\sis)\san?|some"
    r"|encounter(?:ed)?\san?|ran\sinto\san?|got\san?)\s(?:\w+\s){0,3}?"
    r"(?:error|exception|(?:technical\s)?(?:issue|problem)(?=\s(?:while|when)\s\w+ing\s(?:your|the|this)\b)"
    r"|technical\s(?:issue|problem))"
    rf"(?:\s(?:has\s|have\s)?(?:occurr?ed(?!\sto)|happened|(?:was\s|been\s)+\w+).*|{_WHILE}|\W*\Z)"
    r"|(?:(?:i|we)(?:['’]m|['’]re|\sam|\sare|\swas|\swere)\s)?(?:currently\s)?(?:unable|not\sable)\sto"
    rf"\s{_DO}\s(?:an?\s|the\s|any\s|your\s|this\s|that\s|to\s)?{_TASK}\b.{{0,160}}"
    r"|(?:i|we|it)\s(?:could\snot|couldn['’]t|can\s?not|can['’]t|failed\sto|did\snot|didn['’]t)\s"
    r"(?:generat|produc|process|complet|receiv|retriev|get|fetch|load|pars)\w*\s(?:an?\s|the\s|your\s|any\s)(?:\w+\s)?"
    rf"{_TASK}\b(?:\W*\Z|\s(?:at|right|due|because|after|from|this|in\stime).{{0,160}}|[.,;:!].{{0,160}})"
    r"|something\s(?:went|has\sgone|(?:seems|appears)\sto\shave\sgone)\swrong(?:[\W](?:\W|\Z).{0,200}|\W*\Z"
    r"|\s(?:while|when|with\s(?:the|your|our|this)|on\sour|processing|and\swe|generating|please).{0,160})"
    rf"|(?:(?:the|this|that|our)\s)?{_MACHINE}\s(?:is|are|was|had|returned|encountered)\s(?:an?\serror|currently\s\w+"
    r"|temporarily|too\sbusy|busy|overloaded|unavailable|down|offline|under\smaintenance|not\s(?:available|responding)"
    r"|at\scapacity|experiencing)\b.{0,200}"
    r")"
    r"|(?:service|model|server|resource)\s(?:is\s)?(?:temporarily\s|currently\s)?(?:unavailable|overloaded)\b.{0,160}"
    r"|(?:internal\s(?:server\s)?error|bad\sgateway|gateway\stime-?out|network\serror|overloaded)(?:\W{1,3}|\Z).{0,60}"
    r"|(?:cuda\s)?out\sof\smemory\b.{0,160}|segmentation\sfault.{0,80}|core\sdumped\W*|panic:\s.*|killed\W*|fatal:\s.*"
    r"|npm\serr!.*|curl:\s\(\d+\).*|ssh:\s.*|bash:\s.*(?:not\sfound|denied).*"
    r"|(?:please\s)?(?:try|retry)\sagain(?:\s(?:later|in\s.{1,30}|soon))?\W*"
    r"|no\s(?:response|answer|output|completion|content|reply|text|result)s?\s(?:was\s|were\s|has\sbeen\s)?"
    r"(?:generated|received|returned|available|produced|provided|from)\b.{0,80}"
    r"|(?:empty|invalid|malformed|missing|null|bad)\s(?:response|answer|output|completion|reply|json)\b"
    r"(?:\s(?:from|received|returned|format|by|object)\b.{0,80})?\W*"
    r"|(?:response|answer|output|reply|completion|text)\s(?:not\s(?:available|found|generated)|unavailable|missing)\W*"
    r"|(?:http\S*\s*|status(?:\s?code)?\W*|code\W*)?(?:error\s)?[45]\d\d\b\W{0,3}(?:client\serror|server\serror|too\smany|bad\s"
    r"|service\su|gateway\st|internal\s|unauthorized|forbidden|not\sfound|payment|request\st|unprocessable|overload"
    r"|method\snot|error|resource).{0,200}"
    r"|(?:http(?:\sstatus)?|status(?:\scode)?)\W{0,3}[45]\d\d(?:\W*\Z|\W{2,}.{0,60})"
    r"|(?:request|operation|call|task|job|query|it|this|i)\s(?:has\s|was\s)?(?:timed\s?out|time-?out)\b.{0,120}"
)
# Where one of `_STEMS` is near: these may begin with any word.
_ANYHOW = (
    r"(?!terror)(?:\w+\.)*\w*(?:error|exception|interrupt|timeout)\s*[:(\[].*"
    r"|(?!terror)(?:\w+\.)*\w+(?:error|exception)\W*"
    r"|(?:\w+\s){0,3}?(?:rate[\s_-]?limits?|quota|(?:token|usage|daily|context|length)\slimit|credits?|billing\slimit)[\s_:-]*"
    r"(?:(?:was|is|has\sbeen|have\sbeen)\s|error|for\s.{1,60})?(?:(?:exceeded|reached|exhausted|hit)\b.{0,200}|\W*\Z)"
)
_OTHERS = (
    r"(?:错误|出错|异常|发生错误|系统错误|服务器错误|网络错误|请求错误|接口错误|未知错误|生成错误|報錯|報错|錯誤|發生錯誤)\s*(?:[:：(（!！。了,，].{0,200}|代码.{0,200})?"
    r"|(?:抱歉|对不起|很抱歉|非常抱歉)?[,，。!！\s]*(?:发生了?|出现了?|遇到了?|出了)(?:一个|一些|点|未知|内部|系统)?(?:错误|异常|问题|故障).{0,80}"
    r"|(?:抱歉|对不起)?[,，。!！\s]*(?:请求|生成|调用|获取|解析|网络|连接|服务器?|系统|接口|模型)(?:回答|回复|响应|接口|结果|内容|请求)?"
    r"(?:失败|超时|出错|异常|错误|繁忙|不可用|中断|过载|无响应).{0,80}"
    r"|(?:无法|未能)(?:生成|获取|解析|连接|处理|完成)(?:到)?(?:回答|回复|响应|结果|内容|服务器?|您的请求|请求).{0,60}"
    r"|エラー(?:[:：が].{0,160})?|(?:応答|回答|レスポンス)(?:の|を)?(?:生成|取得)(?:に失敗|できません).{0,80}"
    r"|오류(?:[:：가].{0,160})?|(?:응답|답변)(?:을|를)?\s?생성.{0,10}(?:실패|못했|없).{0,80}"
    r"|(?:erreur|fehler|fehlermeldung|erro|errore|ошибка|błąd|fout|hata|lỗi|kesalahan|خطأ|त्रुटि|fel|virhe|chyba|eroare)"
    r"\s*(?:\W*\Z|[:(–-].{0,240}|\d{3}\b.{0,160}|(?:al|beim|lors|ao|durante|nel|при|podczas|bij|khi|saat|في)\s.{0,200})"
    r"|error\s(?:al|en\sla|interno|del\sservidor|durante)\s.{0,200}"
    r"|(?:lo\ssiento|désolée?|es\stut\s(?:mir|uns)\sleid|entschuldigung|desculpe|mi\sdispiace|извините|ups|oups)?[\s,.!–-]*"
    r"(?:(?:pero|mais|aber|mas|ma|но)\s)?"
    r"(?:se\s(?:ha\sproducido|produjo)\sun|ha\socurrido\sun|ocurrió\sun|hubo\sun|une\s|une\serreur\s(?:s['’]est|est)"
    r"|ein\s(?:\w+\s)?|es\sist\sein\s(?:\w+\s)?|ocorreu\sum|houve\sum|si\sè\sverificato\sun|произошла|возникла)\s?"
    r"(?:error|erreur|fehler|erro|errore|ошибка)\b(?:.{0,200})"
    r"|(?:не\sудалось|nie\sudało\ssię|impossible\sde|no\sse\spudo|não\sfoi\spossível|impossibile)\s"
    r"(?:получить|сгенерировать|wygenerować|générer|generar|obtener|gerar|generare)\b.{0,120}"
)
_IN_ENGLISH, _ANYWHERE, _ELSEWHERE = (re.compile(rf"(?:{said})\Z", re.S) for said in (_ENGLISH, _ANYHOW, _OTHERS))
_DUMP = re.compile(
    r"traceback\s\(most\srecent\scall\slast\)|(?:doctype\shtml|html|xml)[^<]{0,300}>.{0,400}?<(?:title|h1|center|message)"
    r">[^<]{0,40}(?:[45]\d\d\b|error|bad\sgateway|unavailable|forbidden|denied|not\sfound|time-?out|too\smany"
    r"|just\sa\smoment|attention\srequired)|error>[^<]{0,300}</error|exception\sin\sthread\s\"",
    re.S,
)
_WORD = re.compile(r"[^\W\d_]+")
_DUMPED = ("Traceback (", "traceback (", "Exception in thread", "<", "`", "{", "[")
_FAULT_KEYS = frozenset(("error", "errors", "exception", "traceback", "fault"))
_REPORTS = """
code message msg status statuscode status_code detail details type param request_id requestid object success ok
timestamp path title trace_id traceid error_code errorcode error_description error_msg response data result
"""
_BESIDE = frozenset(_REPORTS.split())


def is_error(text: str) -> bool:
    """Return whether the whole text is what a program says when it has no answer."""
    first = text[:1]
    if len(text) >= 40 and first.isalnum() and not first.isascii() and first.lower() not in _FIRST_LETTERS:
        return False
    if len(text) <= _SHORT:
        if _says_so(_unwrapped(text)):
            return True
        if len(text) < 40 and text.strip(" \t\r\n\"'`*_<>|[](){}$-").lower() in _NOTHING:
            return True
    text = text.lstrip()
    if not text.startswith(_DUMPED):
        return False
    if text[0] in "{[`" and len(text) <= _SHORT * 8 and _is_error_object(text):
        return True
    return _DUMP.match(_unwrapped(text[: _SHORT * 2]).lower()) is not None


def _unwrapped(text: str) -> str:
    text = text.lstrip(_WRAPPED)
    # So many characters are costly to strip: only where there is one of them.
    return text.lstrip(_WRAPPED + "".join(_UNSEEN)) if text[:1] in _UNSEEN else text


def _says_so(head: str) -> bool:
    part = head[:60].lower()
    if not part[:1].isascii():
        return part[:1] in _FIRST_LETTERS and _ELSEWHERE.match(head.lower()) is not None
    word = _WORD.match(part)
    first = word.group() if word is not None else ""
    if first in _FIRST_ELSEWHERE and _ELSEWHERE.match(head.lower()):
        return True
    # Written out: a loop would cost more than all else here.
    if ("rror" in part or "limit" in part or "quota" in part or "xception" in part or "timeout" in part
            or "credit" in part or "interrupt" in part) and _ANYWHERE.match(head.lower()):  # fmt: skip
        return True
    return (first in _FIRST or not first) and _IN_ENGLISH.match(head.lower()) is not None


def _is_error_object(text: str) -> bool:
    """JSON (or a Python dict as it is printed) that only reports a failure."""
    text = text.strip("` \n").removeprefix("json").strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return re.match(r"\[?\{\s*'(?:error|errors|exception)'\s*:", text) is not None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or not value:
        return False
    found = {str(key).lower(): item for key, item in value.items()}
    if found.keys() & _FAULT_KEYS:
        return found.keys() <= _FAULT_KEYS | _BESIDE and any(found.get(key) for key in _FAULT_KEYS)
    if not found.keys() <= _BESIDE:
        return False
    codes = [found[key] for key in ("code", "status", "statuscode", "status_code") if key in found]
    said = " ".join(str(found[key]) for key in ("message", "msg", "detail", "object", "type", "title") if key in found)
    faulty = any(str(code).isdecimal() and 400 <= int(str(code)[:9]) < 600 for code in codes)
    return faulty or found.get("success") is False or found.get("ok") is False or is_error(said[:_SHORT])
