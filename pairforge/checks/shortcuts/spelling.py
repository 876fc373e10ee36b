"""Misspelt English words: those that a slip of the keys makes of common ones."""

from __future__ import annotations

from collections.abc import Iterator

_COMMON = """
ability able about above accept access according account achieve across action active activity actual actually address
advice affect after again against agree allow almost alone along already also although always amount analysis another
answer anyone anything appear apply approach around article asking attention available avoid aware away balance based
basic beautiful because become before began begin behavior behind being believe below benefit best better between
beyond black blood board body bring brought build building business called cannot careful carefully cause center
central certain certainly chance change changes character cheap check child children choice choose class clean clear
clearly close color come comfortable coming common community company compare complete completely computer concern
condition conditions consider contact contain content context continue control correct could country couple course
cover create created culture current currently customer daily danger dangerous daughter decide decision definitely
degree depend depending describe design despite detail details develop development difference different difficult
direct directly discuss disease doctor doing drink drive during early earth easier easily effect effective effort
either email emotional enough ensure entire environment equal especially essential event everyone everything evidence
exactly example excellent except exercise expect expensive experience explain express extra extremely family famous
father favorite feature feeling field figure final finally financial finding first focus follow following foods force
foreign forget former forward found friend friendly friends front function further future general generally getting
given giving global going government great green ground group grow growing growth guess guide hands happen happy
having health healthy heard heart heavy helpful helping herself higher highly himself history house however human
hundred husband identify imagine immediately impact important improve include including increase indeed individual
industry influence information inside instead interest interested interesting international internet involve issue
issues itself journey keep kitchen knowledge known language large larger later learn learning least leave legal length
letter level likely limit limited listen little living local longer looking lower machine maintain major making manage
management manner market material matter maybe meaning means measure media medical meeting member memory mental
message method middle might million minutes modern moment money month months morning mother mountain mouth movement
movie music myself natural nature necessary need negative network never normal nothing notice number numbers object
obvious offer office often online opinion opportunity option options order original other others outside overall owner
paper parent parents particular particularly partner party pattern people perfect perfectly perform perhaps period
permission person personal perspective phone physical picture piece place planning plants please point police policy
political popular position positive possible possibly potential power practice prepare present president pressure
pretty prevent price print private probably problem problems process produce product production professional program
project proper properly protect provide public purpose question questions quick quickly quite rather reach reading
ready reality realize really reason reasons receive recent recently recommend record reduce regular related
relationship relevant remember remove report represent require required research resources respect respond response
result results return right risk running safety school science search season second section security seems sense
separate series serious service several shall share should simple simply since single situation small smart social
society software someone something sometimes somewhere sound source space speak special specific spend spirit sports
standard start started state statement states still stories story straight strategy street stress strong structure
student students study style subject success successful such suggest summer support sure surface surprise system table
taking talking taste teach teacher technology temperature terms thank thanks their themselves there therefore these
thing things think thinking third those though thought thousand three through throughout time today together tomorrow
tonight topic total touch toward towards town traditional training travel treat treatment trouble true trying
understand understanding unique united university until upset using usual usually value various version video violence
visit voice waiting walking wanted watch water website weight welcome where whether which while white whole whose
window winter within without woman women wonder wonderful words working world worry worse would write writing written
wrong yesterday young yourself
"""
_REAL = """
alter bought centre chose compete costumer county coupe crate curse custom entier ether fiend filed fining font fried
heath latter leaning loner mange mater medial metal meting minuets moths noting pants petty planing plans poplar
potions prefect preset pubic quiet realty serous singe sorts spots stared staring stated stating stats stores suing
tanks tough trough tying untied waking waned
"""
"""What a slip makes of a common word, and is a word itself."""

_WELL_KNOWN = """
accomodate acheive adn agian alot apparantly arguement basicly begining beleive buisness calender collegue comming
definately dissapoint embarass enviroment existance foward freind goverment grammer happend hte immediatly independant
knowlege liason neccessary noticable occassion occured occurence persistant posession prefered publically recieve
recomend refered relevent rember seige seperate sieze succesful suprise taht teh tendancy thier tommorow tounge truely
unfortunatly untill usefull wether wich wierd wiht writting yuo
"""
_SHORTEST = 5


def _slips(word: str) -> Iterator[str]:
    """The word with two letters exchanged, one twice, or one of its inner ones left out."""
    for at in range(len(word) - 1):
        yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        yield word[:at] + word[at] + word[at:]
        if at:
            yield word[:at] + word[at + 1 :]


def _misspelt() -> frozenset[str]:
    common = _COMMON.split()
    made = {slip for word in common if len(word) >= _SHORTEST for slip in _slips(word) if len(slip) >= _SHORTEST}
    return frozenset(made.union(_WELL_KNOWN.split()).difference(common, _REAL.split()))


MISSPELT = _misspelt()
"""Slips of common words that are no words themselves, and errors that are often seen."""
