# ruff: noqa: E501 - patterns, a language a line, however long
"""Patterns of how assistants speak of themselves, are spoken to and refuse, in two dozen languages.

Each table has one row for a language and is one alternation, in any case; an apostrophe is always `'`. They are written
for chat answers. A missing language costs pairs but makes no wrong ones: what isn't recognised as said of oneself is
left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import regex


class LazyPattern:
    """An alternation that is compiled when it is first used: all of them together take a tenth of a second."""

    def __init__(self, *rows: str) -> None:
        self.rows = rows

    @cached_property
    def compiled(self) -> regex.Pattern[str]:
        """The compiled alternation."""
        return regex.compile("|".join(self.rows), regex.IGNORECASE | regex.VERBOSE)

    def search(self, text: str, start: int = 0) -> regex.Match[str] | None:
        """Return the first match from `start` on."""
        return self.compiled.search(text, start)

    def finditer(self, text: str) -> Iterator[regex.Match[str]]:
        """Yield all matches."""
        return self.compiled.finditer(text)


FIRST = LazyPattern(
    r"\b(?:i|me|my|mine)\b",  # English
    r"\b(?:ich|mich|mir|mein(?:e[rmns]?)?)\b",  # German
    r"\b(?:je|moi|mon|ma|mes)\b | \b[jm](?=')",  # French
    r"\b(?:yo|mí|me|mi|mis|soy|eu|meu|minha|sou|io|mio|mia)\b",  # Spanish, Portuguese, Italian
    r"\b(?:ik|mij|mijn|jag|mig|mitt?|min|jeg|meg|mitt)\b",  # Dutch, Swedish, Danish, Norwegian
    r"\b(?:ja|mnie|mi|mój|moje|moja|jestem|jsem|já|mně|eu|meu|sunt|minä|minun|olen|én|engem)\b",  # Polish ... Hungarian
    r"\b(?:ben|benim|beni|bana|adım|ismim)\b",  # Turkish
    r"\b(?:tôi|mình|saya|aku)\b",  # Vietnamese, Indonesian
    r"\b(?:я|меня|мне|мой|мо[яёеи]|мене|мені|моє|мій)\b",  # Russian, Ukrainian
    r"\b(?:είμαι|μου|εγώ)\b",  # Greek
    r"\b(?:أنا|انا|اسمي|אני|שמי|לי|مرا|نامم)\b | (?:^|[،,.!]\s*)من\b",  # Arabic, Hebrew, Persian
    r"(?:मैं|मेरा|मेरे|मेरी|मुझे|আমি|আমার|আমাকে|நான்|என்)(?![\p{L}\p{M}])",  # Hindi, Bengali, Tamil
    r"ฉัน|ผม|ดิฉัน|หนู",  # Thai
    r"我|本人|在下|私|わたくし|わたし|僕|ぼく|俺|当方",  # Chinese, Japanese
    r"(?<!\p{L})(?:저는|저의|저를|제가|제|저|나는|나의|내|난|전|절)(?!\p{L})",  # Korean
)
"""A word for the speaker."""

_MADE = (
    r"(?:made|built|create[ds]?|creating|train(?:ed|s)|develop(?:ed|s)|design(?:ed|s)|power(?:ed|s)|launched|released)"
)
_EN_MY = (
    r"(?:name|nickname|identity|creators?|makers?|developers?|builders?|company|team|origins?|model|provider|owner)"
)
_RU_MADE = r"(?:созда|разработ|обуч|сдела|выпу|назва|створ|розроб|навч)\w*"
_FR_MADE = r"(?:cré|développ|entraîn|conçu|form|nomm|baptis)\w*"
_ES_MADE = r"(?:cread|desarrollad|entrenad|diseñad|criad|desenvolvid|treinad|creat|sviluppat|addestrat|progettat)\w+"
_ZH_MADE = r"(?:开发|創造|创造|創建|创建|训练|訓練|研发|研發|打造|设计|設計|制造|製造|推出|開發)"
_ZH_MY = (
    r"(?:名字|名称|名稱|全名|大名|昵称|身份|型号|公司|团队|團隊|母公司|开发|開發|创造|創造|创建|研发|制造|作者|主人)"
)

SELF = LazyPattern(
    rf"""\bi(?:'m|\ am|\ was|\ have\ been|'ve\ been|\ go\ by|\ come\ from|\ respond\ to|\ answer\ to|\ identify\ as
        |\ represent|\ serve\ as|\ work\ (?:as|for)|\ belong\ to|\ operate\ (?:as|under)|\ carry|\ bear|\ originate
        |\ (?:simply\ |just\ )?call\ myself)\b
        | \bmy\ (?:\w+\ ){{0,2}}{_EN_MY}\b
        | \b(?:call|calls|called|names?|named|knows?|known|dubbed|gave|{_MADE})\ me\b | \b(?:refer(?:red)?\ to|address|think\ of)\ me\ as\b
        | \b(?:am|was)\ i\b""",
    r"""\bich\ (?:bin|heiße|heisse|wurde|werde|höre|stamme|nenne\ mich|trage)\b | \b(?:bin|heiße|wurde|werde)\ ich\b
        | \bmein(?:e[rmns]?)?\ (?:\w+\ )?(?:name|entwickler|hersteller|schöpfer|modell|team|firma|unternehmen)\w*
        | \b(?:nenn(?:t|en|e)|hat|haben)\ mich\b""",
    rf"""\bje\ (?:suis|m'appelle|me\ (?:nomme|prénomme)|réponds|porte|viens)\b | \bj'ai\ été\b | \bm'(?:appel\w+|ont|a\b)
        | \b(?:suis-je|c'est\ moi)\b | \bmoi,?\ c'est\b | \b(?:appel|nomm|{_FR_MADE})\w*-moi\b
        | \bmon\ (?:nom|prénom|créateur|développeur|concepteur|équipe|entreprise)\w*""",
    rf"""\b(?:soy|me\ llam[oa]\w*|me\ conocen|llám[ae]\w*me|me\ han?)\b | \b(?:mi|mis)\ (?:nombre|creador|desarrollador|empresa)\w*
        | \b(?:fui|he\ sido)\ (?:\w+\ )?{_ES_MADE} | \bme\ {_ES_MADE}\w*
        | \b(?:sou|chamo-me|me\ chamo|me\ chama\w*|chamam-me)\b | \b(?:o\ )?meus?\ (?:nome|criador|desenvolvedor)\w*
        | (?:^|[,.!:;]\s*|\bio\ )sono\b | \bmi\ chiam\w+ | \b(?:chiamami|chiamarmi)\b
        | \b(?:il\ mio|i\ miei)\ (?:nome|creator|sviluppator)\w*""",
    r"""\bik\ (?:ben|heet|werd|word)\b | \b(?:ben|heet|werd)\ ik\b | \bmijn\ (?:naam|maker|ontwikkelaar)\w* | \bnoem(?:t|en)?\ (?:me|mij)\b
        | \bjag\ (?:är|heter|skapades|utvecklades|har\ skapats|har\ utvecklats)\b | \b(?:mitt|mit)\ (?:namn|navn)\b | \bnavnet\ mitt\b
        | \bjeg\ (?:er|hedder|heter|blev|ble)\b | \bkalla(?:s)?\ mig\b""",
    r"""\b(?:jestem|nazywam\ się|mam\ na\ imię|zosta(?:łem|łam)|moje\ imię|nazywają\ mnie)\b | \b(?:stworz|opracow|wytrenow)\w+\ mnie\b
        | \b(?:jsem|jmenuji\ se|mé\ jméno|moje\ jméno|byl\ jsem)\b | \b(?:eu\ sunt|mă\ numesc|numele\ meu|am\ fost\ creat\w*)\b
        | (?:^|[,.!:;]\s*)sunt\b
        | \b(?:olen|minä\ olen|nimeni\ on|minut\ on|minut\ kehitti)\b | \b(?:a\ nevem|engem|én\ (?:egy|vagyok|a))\b""",
    r"""\b(?:adım|ismim|bana)\b | \bbenim\ adım\b | \bbeni\ (?=.*(?:geliştir|yarat|eğit|oluştur))
        | \bben\b(?=,?\ *$|.*\ tarafından|\ (?:bir|büyük|yapay))""",
    r"""\btôi\ (?:là|tên|được|có\ tên|chính\ là)\b | \bmình\ (?:là|tên)\b | \btên\ (?:của\ )?(?:tôi|mình)\b | \bgọi\ (?:tôi|mình)\b
        | \b(?:saya|aku)\ (?:adalah|ialah|bernama|dibuat|diciptakan|dikembangkan|dilatih|dirancang|berasal|disebut|sebuah|merupakan)\b
        | \b(?:saya|aku),?\s*$ | \bnama\ (?:saya|aku)\b | \bnamaku\b | \b(?:panggil|menciptakan|mengembangkan|membuat)\ (?:saya|aku)\b""",
    rf"""\bя\b(?=[,\s]*(?:[—–-]|$|это|был[аои]?\b|больш\w+|языков\w+|модель|ассистент|помощник|помічник|виртуальн\w+|голосов\w+
        |чат|ии\b|ші\b|штучн\w+|искусственн\w+|мовн\w+|велик\w+|называ\w+|{_RU_MADE}))
        | \b(?:меня|мене)\ (?:зовут|звать|звати|називають|называют|можно|{_RU_MADE})
        | \b(?:мо[ёея]|моє|моём)\ (?:имя|ім'я|название|назва) | \bмо[йиі]х?\ (?:создател|разработчик|творц|розробник)\w*
        | \b(?:зовите|называйте|называй|зови)\ меня\b | \b(?:это|це)\ я\b""",
    r"""\b(?:είμαι|με\ λένε|ονομάζομαι|το\ όνομά\ μου|δημιουργήθηκα|αναπτύχθηκα|εκπαιδεύτηκα)\b""",
    r"""\b(?:أنا|انا|اسمي|إسمي|يمكنك\ مناداتي|تم\ (?:تطويري|إنشائي|تدريبي|تصميمي)|طو[ّ]?رتني|صممتني|أنشأتني|مطوري|مطوّري)
        | \b(?:אני|שמי|קוראים\ לי|השם\ שלי|נוצרתי|פותחתי|אומנתי)\b
        | \b(?:نام\ من|اسم\ من|نامم|اسمم)\b | (?:^|[،,.!]\s*)من\b(?=\s*،?\s*$|\s+(?:یک|توسط|مدل|دستیار))""",
    r"""मैं | मेरा\ नाम | मेरे\ (?:निर्माता|डेवलपर) | मुझे(?=.*(?:बनाया|विकसित|प्रशिक्षित|कहते|बुला))
        | আমি | আমার\ নাম | আমাকে | நான் | என்\ பெயர் | என்னை""",
    r"""(?:ฉัน|ผม|ดิฉัน|หนู)(?:คือ|เป็น|ชื่อ|ถูก|ได้รับการ|มีชื่อ) | ชื่อ(?:ของ)?(?:ฉัน|ผม|ดิฉัน|หนู) | เรียก(?:ฉัน|ผม|ดิฉัน|หนู)""",
    rf"""(?:我|本人|在下)(?:就|其实|其實|的确|确实|正|便|也|只|现在|是一个叫)?(?:是|叫|名叫|名为|名為|来自|來自|由|被|出自|属于|屬於|乃|的?{_ZH_MY})
        | (?:我|本人)(?=[,，]?$) | (?:^|[,，])\s*这里是 | [叫喊称稱]呼?我(?:为|為|做|作|一声)? | 我.{{0,24}}(?:而是|其实是|其實是)
        | {_ZH_MADE}了?我的?(?:公司|团队|團隊|机构|人|企业)?(?:是|就是)? | (?:给|把|将|為|为)我.{{0,4}}(?:名|叫|称)""",
    r"""(?:私|わたくし|わたし|僕|ぼく|俺|当方)(?:の(?:名前|名称|名|正式名称|開発元|開発者|製作者)|は|を(?:開発|作成|作っ|訓練)|、)""",
    r"""(?<!\p{L})(?:저는|나는|난|전|저를|절|제가|제\s?(?:이름|개발|제작|회사)\w*|내\s?이름\w*|저의\s?이름\w*)""",
)
"""The speaker as the one who is, is called or was made by what follows."""

HERE = LazyPattern(
    r"\b(?:talking|speaking|chatting|talk|speak|chat)\ (?:to|with)\s*$ | \byou(?:'ve|\ have)\ reached\s*$",
    r"\b(?:sie|du)\ (?:sprechen|sprichst|chatten|chattest)\ (?:gerade\ )?mit\s*$ | \bhier\ (?:ist|spricht)\s*$",
    r"\b(?:parlez|parles|discutez)\ (?:à|avec)\s*$ | \b(?:hablando|falando|conversando|parlando)\ (?:con|com)\s*$",
    r"正在和\s*$ | こちらは\s*$",
)
"""Directly before the name where the one spoken to is the speaker: "you are talking to"."""

AFTER = LazyPattern(
    r"^[\"'*»”_]*,?\ (?:is|was)\ (?:my\ (?:\w+\ )?name|what\ (?:i|they|people|you|everyone)\b|who\ i\ am|the\ name\ i\b)",
    r"^[\"'*»”_]*,?\ (?:here|speaking|at\ your\ (?:service|disposal))\b | ^,?\ that's\ (?:me|my\ name) | ^[^.]{0,20},\ (?:created|made|built|trained|designed|developed)\ me\b",
    r"^,?\ (?:(?:who|that|which)\ )?(?:has\ |have\ )?(?:created|made|built|trained|designed|developed|named|calls?)\ me\b",
    r"^[\"'*»”_]*,?\ (?:is\ a\b.{0,40}\ )?your\ (?:\w+\ ){0,3}(?:assistant|ai|companion|helper)\b",
    r"^,?\ (?:ist\ mein\ name|hat\ mich|bin\ ich|ist\ der\ name)\b | ^,?\ (?:est\ mon\ nom|m'a\b|à\ votre\ service)",
    r"^,?\ (?:es\ mi\ nombre|me\ (?:creó|desarrolló|entrenó)|a\ (?:tu|su)\ servicio|é\ (?:o\ )?meu\ nome|è\ il\ mio\ nome)\b",
    r"^,?\ (?:vagyok|a\ nevem|olen|меня\ (?:созда|разработ|обуч)\w*|меня\ зовут)\b",
    r"^'?(?:y?[iıuü]m)\b | ^\ (?:benim\ ad|adıy|tarafından\ geliştirildim)",
    r"^\s*(?:हूँ|हूं)",
    r"^\s*(?:هستم|است\ نام\ من)",
    r"^[”\"'」』*]*(?:(?:就)?是我(?:的(?:名字|名称|名稱|大名|全名))?(?:[,，。！!.]|$)|为您服务|為您服務|竭诚)",
    r"^(?:开发|創造|创造|创建|训练|研发|打造|设计|開發)了?我",
)
"""After a name that is the speaker's, or the speaker's maker's."""

COPULA = LazyPattern(
    r"^[」』”\"*]*(?:です|でございます|だ(?:よ|ぜ)?(?=[。！!]|$)|と申します|といいます|と言います|と呼んで|という名前)",
    r"^[」』”\"*]*(?:입니다|이에요|예요|이야|야(?=[.!]|$)|라고|이라고|이라\s|라\s불러)",
)
"""A predicate that says what the unnamed topic is; whose it is must be seen elsewhere."""

TOPIC = LazyPattern(r"(?<!で)は", r"\p{Hangul}(?:은|는)(?=\s|$)")
"""A topic, in languages that leave out the speaker."""

AS = LazyPattern(
    r"(?:^|[,;:]\s*)(?:as|being|like\ any|created|made|developed|trained|built|designed|als|en\ tant\ que|en\ tant\ qu'|comme|como|come|in\ quanto|sebagai|como\ un|jako|olarak|как)\b[^,，]{0,90}$",
    r"(?:作为|作為|身为|身為)[^,，]{0,40}$ | として",
)
"""The speaker's role, named before the speaker: "As ..., I can"."""

DENIAL = LazyPattern(
    r"\b(?:not|never|neither|nor|no\ longer|cannot)\b | n't\b | \brather\ than\b | \binstead\ of\b",
    r"\b(?:nicht|kein\w*|weder|pas|jamais|no|nunca|não|niet|geen|inte|ikke|nie|nem|ei|değil|nu|ne|nejsem)\b",
    r"\b(?:không\ phải|bukan|tidak|не|ні|δεν|لست|ليس|לא|نیستم)\b | नहीं|না\b|ไม่ใช่|ไม่ได้",
    r"不是|并非|並非|不叫|不属于|没有|ではな|じゃな|아니",
)
"""Between the speaker and a name: the name is denied."""

REPORTED = LazyPattern(
    r"\b(?:about|than|like|unlike|similar|different|differ|compar\w+|explain\w*|discuss\w*|describ\w+|introduce|tell\w*|told|know|knew|think|thought"
    r"|believe\w*|assum\w+|hear\w*|understand|unsure|sure|aware|familiar|afraid|sorry|wonder\w*|fan|competitor|rival|alternative|cat|dog|user\ of"
    r"|recommend\w*|suggest\w*|using|use|prefer\w*|see|saw|read|interested|unrelated|unaffiliated|affiliated|associated|say|said|says|ask\w*)\b",
    r"\b(?:über|wie|kenne|weiß|glaube|denke|meine\ dass)\b | \b(?:sur|comme|crois|pense|connais)\b",
    r"\b(?:sobre|acerca|creo|conozco|pienso|acho|conheço|credo|conosco|riguardo)\b",
    r"\b(?:over|om|hakkında)\b",
    r"\b(?:biết|nghĩ|về|tahu|tentang|rasa|pikir)\b",
    r"\b(?:знаю|думаю|считаю|про|об?)\b | \b(?:για|ξέρω|νομίζω)\b",
    r"\b(?:أعتقد|أظن|أعرف|عن|חושב|יודע|מכיר|על|درباره)\b",
    r"जानता|जानती|सोचत|के\ बारे|เกี่ยวกับ|คิดว่า",
    r"不会|关于|關於|介绍一下|知道|认为|認為|觉得|覺得|听说|喜欢|不同|类似|类似于|相比|比较|回答关于|朋友",
    r"ついて|思い|知って|聞い|대해|생각|알고",
)
"""Between the two: the name is compared, or talked about."""

BY = LazyPattern(
    rf"[,，]\s*(?:and\ |but\ )?(?:\w+ly\ )?{_MADE}(?:\ and\ \w+)?\ by\b | ,\s*(?:called|named|known\ as)\b",
    rf",\s*(?:entwickelt|erstellt|trainiert|geschaffen|{_FR_MADE}|{_ES_MADE}|(?:созд|разраб)\w+|ontwikkeld|gemaakt)\b",
    r"[,，](?:由|名叫|名为|叫做)",
)
"""After a comparison, back to the speaker: "I am an AI like Llama, made by"."""

NEGATED = LazyPattern(r"\b(?:no|não|non|nie|nu|δεν|nem|ei)\s+$")
"""A denial before a verb that says who speaks: "no soy"."""

CONTRAST = LazyPattern(
    r"\b(?:but|sondern|mais|sino|mas\ sim|mas|ma|maar|utan|men|lecz|ale|ci|vaan|hanem|aksine|mà\ là|melainkan|tetapi|а|αλλά|بل|אלא|بلکه|बल्कि)\b",
    r"而是|就是|แต่(?:เป็น|คือ)",
)
"""After a denial: the name that follows is affirmed."""

DENIED = LazyPattern(
    r"^[\"'*»”」』_]*\s*(?:ではあり|ではな|じゃな|でない|[이가은는]\ 아[니닙녜]|değil|नहीं|نیست|না\b|இல்லை|nie\ jestem)",
    r"^[」』”\"]*(?:を|について|に関し|のこと|とは|と違|と比|을\ |를\ |에\ 대해|과\ 다|와\ 다|के\ बारे|hakkında)",
)
"""After a name that is denied or talked about."""

CLAUSE = LazyPattern(
    r"[,，、;；:：—–]\s*(?:(?:and|but|while|whereas|und|aber|während|et|mais|y|pero|e|ma|en|а|и|و|而|但|但是|而且)\s*)?$"
)
"""The end of a clause: what follows may be the subject of its own."""

VERB = LazyPattern(
    r"^[\"'*»”_]*\s*(?:is|was|are|were|has|had|can|will|does|belongs|comes|ist|war|wurde|hat|est|a\ été|es|fue|è|é|foi|adalah|là|là\ một|—\ это|это)\b(?!\ (?:my|who\ i|what))",
    r"^[」』”\"*]*(?:是(?!我)|由|属于|为|来自|也是|は|が|은|는)",
)
"""The verb of a clause whose subject the name is."""

YOU = LazyPattern(
    r"\b(?:you|your|yours|yourself|u|ur|ya|thee)\b | \b(?:introduce|name)\ yourself\b | \bself-introduction\b",
    r"\b(?:du|dich|dir|dein\w*|sie|ihr\w*|ihnen|tu|te|toi|t(?=')|ton|ta|tes|vous|votre|vos|usted|ustedes|tú|ti|eres|llamas|sos|tuo|tua|sei|voi)\b",
    r"\b(?:você|vocês|teu|tua|seu|és|jij|je|jou|jouw|u|uw|du|dig|din|ditt|ty|ciebie|cię|twoj\w*|jesteś|jsi|tvoje|ești|tău|sinä|sinun|nimesi|te|neved|vagy)\b",
    r"\b(?:sen|sana|seni|senin|siz|sizin|ad[ıi]n(?:ız)?|kimsin(?:iz)?|nesin|bạn|mày|cậu|kamu|anda|engkau|kau|namamu)\b",
    r"\b(?:ты|тебя|тебе|тобой|тво\w+|вы|вас|вам|ваш\w*|ти|твій|εσύ|σου|σε|είσαι|εσείς|σας)\b",
    r"أنت|انت|اسمك|\b(?:אתה|את|לך|שלך|שמך|تو|شما|نامت|اسمت)\b|आप|तुम|तू\b|আপনি|তুমি|தாங்கள்|நீங்கள்|คุณ|เธอ",
    r"你|您|妳|自我介绍|自我介紹|あなた|貴方|君|きみ|お前|お名前|自己紹介|당신|자기소개|너|네|넌|이름이",
)
"""A word for the one spoken to."""

_ASKED = r"tell|say|know|explain|describe|introduce|list|give|help|show|think|write|read|hear|heard|recommend|remember|mind|spell|summari[sz]e|talk\ about"
REQUEST = LazyPattern(
    rf"\b(?:can|could|would|will|do|did|have|may|might)\ (?:you|u)\ (?:please\ |kindly\ |perhaps\ |maybe\ |also\ |ever\ )*(?:{_ASKED})\b(?!\ yourself)",
    r"\bwhat\ (?:do|can|would)\ you\ (?:know|tell|say|think|recommend)\b | \bthank\ you\b | \bnot\ (?:asking\ |about\ )?you\b | \b(?:ask|asking|tell|told|telling)\ you\b",
    r"\b(?:kannst|können|könnten|könntest|weißt|wissen|kennst|kennen)\ (?:du|sie)\b | \b(?:peux-tu|pouvez-vous|sais-tu|savez-vous|connais-tu|connaissez-vous)\b",
    r"\b(?:puedes|podrías|sabes|conoces|puoi|sai|conosci|pode|sabe|conhece)\b",
    r"(?:你|您)(?:能不能|可不可以|可以|能|会|可)?(?:帮我|给我|告诉我|跟我|说说|讲讲|介绍(?!一?下?[你您自])|知道|听说|了解|认为|觉得|推荐)",
    r"(?:不是|不|别|没)[问說说]?(?:你|您) | 谢谢(?:你|您) | 问(?:你|您)",
    r"(?:можешь|можете|знаешь|знаете|не\ могли\ бы)\ (?:ты|вы)?",
)
"""A request that is addressed to the one spoken to and not about them."""

YES = LazyPattern(
    r"^\W*(?:yes|yeah|yep|correct|right|that's\ right|indeed|exactly|sure|of\ course|ja|oui|sí|si|sim|да|так|evet|vâng|đúng|ya|tak|ano|ναι|igen|kyllä)\b",
    r"^\W*(?:是的|是[，,。]|对|對|没错|沒錯|嗯|はい|ええ|そうです|네|예|맞|نعم|بله|כן|हाँ|हां|ใช่)",
)
"""An answer that begins with yes."""

NO = LazyPattern(
    r"^\W*(?:no|nope|not|nein|nee|non|não|нет|ні|hayır|không|bukan|tidak|nie|ne|όχι|nem|ei|nej|nei)\b",
    r"^\W*(?:不|没有|沒有|并非|いいえ|いや|아니|لا|نه|לא|नहीं|ไม่)",
)
"""An answer that begins with no."""

REFUSAL = LazyPattern(
    r"^\W*(?:(?:i'm|i\ am)\ (?:very\ |so\ |really\ )?sorry|sorry|i\ apologi[sz]e|unfortunately|my\ apologies)\b.{0,60}\b(?:can't|cannot|can\ not|unable|not\ able|won't|don't\ feel|not\ comfortable|must\ decline)\b",
    r"^\W*i\ (?:can't|cannot|can\ not|won't|will\ not|must\ decline|am\ unable|am\ not\ able|refuse|'m\ not\ able)\b.{0,20}\b(?:help|assist|answer|provide|comply|do|fulfil|discuss|share|respond|continue|to)\b",
    r"^\W*i'm\ (?:unable|not\ able)\ to\b | ^\W*as\ an?\ (?:ai|language|assistant)\b.{0,60}\bi\ (?:can't|cannot|am\ not\ able|am\ unable|'m\ not\ able|'m\ unable)\b",
    r"^\W*(?:es\ tut\ mir\ leid|tut\ mir\ leid|leider)\b.{0,40}\b(?:kann|darf|werde)\b.{0,60}\bnicht\b | ^\W*(?:ich\ kann|ich\ darf)\b.{0,40}\bnicht\b.{0,20}\b(?:helfen|beantworten)\b",
    r"^\W*(?:je\ suis\ désolée?|désolée?)\b.{0,40}\b(?:ne\ peux|ne\ puis)\b | ^\W*je\ ne\ (?:peux|puis)\ pas\ (?:vous\ |t'|te\ )?(?:aider|répondre)",
    r"^\W*(?:lo\ siento|lo\ lamento)\b.{0,40}\bno\ puedo\b | ^\W*(?:desculpe|sinto\ muito|lamento)\b.{0,40}\bnão\ posso\b | ^\W*mi\ dispiace\b.{0,40}\bnon\ posso\b",
    r"^\W*(?:извините|простите|к\ сожалению)\b.{0,40}\bне\ (?:могу|смогу)\b | ^\W*(?:maaf)\b.{0,40}\b(?:tidak\ (?:bisa|dapat))\b | ^\W*(?:xin\ lỗi)\b.{0,40}\bkhông\ thể\b",
    r"^\W*(?:很?抱歉|对不起|對不起|不好意思).{0,20}(?:无法|無法|不能|不可以|没法) | ^\W*我(?:无法|無法|不能|没法)(?:回答|提供|帮助|协助|满足|完成|讨论)",
    r"^\W*(?:申し訳|すみません|ごめんなさい).{0,40}(?:できません|できかねます|お答えでき) | ^\W*죄송.{0,40}(?:없습니다|어렵습니다)",
    r"^\W*(?:عذر[اًا]*|آسف|أعتذر).{0,40}لا\ (?:أستطيع|يمكنني) | ^\W*(?:maalesef|üzgünüm).{0,60}(?:emem|amam|emiyorum|amıyorum)",
)
"""The start of an answer that only declines. Conservative: a word of regret alone is none."""
