"""Language tags for the `lang` attribute of HTML, from the codes that corpora use."""

import re

CODES = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bh:bih
bi:bis bm:bam bn:ben bo:bod:tib br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces:cze cu:chu cv:chv cy:cym:wel
da:dan de:deu:ger dv:div dz:dzo ee:ewe el:ell:gre en:eng eo:epo es:spa et:est eu:eus:baq fa:fas:per ff:ful fi:fin
fj:fij fo:fao fr:fra:fre fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat
hu:hun hy:hye:arm hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl:ice it:ita iu:iku ja:jpn jv:jav
ka:kat:geo kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat
lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri:mao mk:mkd:mac ml:mal mn:mon mr:mar
ms:msa:may mt:mlt my:mya:bur na:nau nb:nob nd:nde ne:nep ng:ndo nl:nld:dut nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci
oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron:rum ru:rus rw:kin sa:san
sc:srd sd:snd se:sme sg:sag si:sin sk:slk:slo sl:slv sm:smo sn:sna so:som sq:sqi:alb sr:srp ss:ssw st:sot su:sun
sv:swe sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah
ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho:chi zu:zul
"""
"""ISO 639: languages with a code of two letters, and their codes of three. BCP 47 requires the shorter one."""

SHORTEST = {code: codes.split(":")[0] for codes in CODES.split() for code in codes.split(":")}

TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?(?:[.@].*)?", re.IGNORECASE
)


def language_tag(code: str | None) -> str | None:
    """The BCP 47 tag for a language's code, or None if the code is not one.

    Takes the spellings of ISO 639-1, -2 and -3, BCP 47, FLORES and POSIX.

    >>> [language_tag(code) for code in ("en", "fra", "zho_Hans", "pt_br", "en_US.UTF-8", "cn", None)]
    ['en', 'fr', 'zh-Hans', 'pt-BR', 'en-US', None, None]
    """
    parts = TAG.fullmatch((code or "").strip().replace("_", "-"))
    if parts is None:
        return None
    language = parts["language"].lower()
    language = SHORTEST.get(language, language)
    if len(language) == 2 and language not in SHORTEST:
        return None
    return "-".join(filter(None, (language, (parts["script"] or "").title(), (parts["region"] or "").upper())))
