"""The facts behind the general questions: tables that are small enough for a model of 2.7 million parameters."""

from __future__ import annotations


def _pairs(text: str) -> list[tuple[str, str]]:
    rows = (row.split(":") for row in text.replace("\n", " ").split(";") if row.strip())
    return [(row[0].strip(), row[1].strip()) for row in rows]


CAPITALS = _pairs(
    """France:Paris;Germany:Berlin;Italy:Rome;Spain:Madrid;Portugal:Lisbon;Japan:Tokyo;China:Beijing;Russia:Moscow;Egypt:Cairo;
    Greece:Athens;Austria:Vienna;Poland:Warsaw;Norway:Oslo;Sweden:Stockholm;Finland:Helsinki;Denmark:Copenhagen;Ireland:Dublin;
    Hungary:Budapest;Turkey:Ankara;Iran:Tehran;Iraq:Baghdad;India:New Delhi;Thailand:Bangkok;Vietnam:Hanoi;Cuba:Havana;Peru:Lima;
    Chile:Santiago;Kenya:Nairobi;Canada:Ottawa;Mexico:Mexico City;Brazil:Brasilia;Belgium:Brussels;Iceland:Reykjavik;Ukraine:Kyiv;
    Nepal:Kathmandu;Australia:Canberra;South Korea:Seoul;Indonesia:Jakarta;Morocco:Rabat;Colombia:Bogota"""
)
CAPITALS_ZH = _pairs(
    """法国:巴黎;德国:柏林;意大利:罗马;西班牙:马德里;葡萄牙:里斯本;日本:东京;中国:北京;俄罗斯:莫斯科;埃及:开罗;希腊:雅典;
    奥地利:维也纳;波兰:华沙;挪威:奥斯陆;瑞典:斯德哥尔摩;芬兰:赫尔辛基;丹麦:哥本哈根;英国:伦敦;美国:华盛顿;韩国:首尔;泰国:曼谷;
    越南:河内;印度:新德里;古巴:哈瓦那;加拿大:渥太华;澳大利亚:堪培拉;匈牙利:布达佩斯;土耳其:安卡拉;荷兰:阿姆斯特丹"""
)
CONTINENTS = _pairs(
    """France:Europe;Germany:Europe;Spain:Europe;Poland:Europe;Norway:Europe;Greece:Europe;Japan:Asia;China:Asia;India:Asia;
    Vietnam:Asia;Thailand:Asia;Nepal:Asia;Egypt:Africa;Kenya:Africa;Morocco:Africa;Nigeria:Africa;Ghana:Africa;Brazil:South America;
    Peru:South America;Chile:South America;Argentina:South America;Canada:North America;Mexico:North America"""
)
CONTINENTS_ZH = _pairs(
    "法国:欧洲;德国:欧洲;西班牙:欧洲;波兰:欧洲;希腊:欧洲;日本:亚洲;中国:亚洲;印度:亚洲;越南:亚洲;泰国:亚洲;埃及:非洲;肯尼亚:非洲;"
    "摩洛哥:非洲;巴西:南美洲;秘鲁:南美洲;智利:南美洲;加拿大:北美洲;墨西哥:北美洲;古巴:北美洲"
)
OPPOSITES = _pairs(
    """hot:cold;big:small;tall:short;fast:slow;happy:sad;old:young;good:bad;up:down;left:right;open:closed;full:empty;hard:soft;
    heavy:light;wet:dry;rich:poor;strong:weak;early:late;near:far;day:night;black:white;high:low;long:short;loud:quiet;clean:dirty;
    new:old;first:last;inside:outside;easy:difficult;thick:thin;wide:narrow;deep:shallow;bright:dark;cheap:expensive;true:false;
    win:lose;buy:sell;push:pull;begin:end;love:hate;always:never"""
)
OPPOSITES_ZH = _pairs(
    "大:小;高:低;长:短;多:少;快:慢;冷:热;好:坏;黑:白;上:下;左:右;前:后;里:外;新:旧;远:近;轻:重;早:晚;胖:瘦;强:弱;干:湿;软:硬;"
    "开:关;真:假;美:丑;老:少;进:退;买:卖;深:浅;粗:细;厚:薄;难:易;爱:恨;天:地;始:终;胜:负;哭:笑;有:无"
)
PLURALS = _pairs(
    """cat:cats;dog:dogs;child:children;mouse:mice;foot:feet;tooth:teeth;man:men;woman:women;box:boxes;city:cities;leaf:leaves;
    knife:knives;bus:buses;fish:fish;sheep:sheep;goose:geese;baby:babies;house:houses;book:books;tree:trees;watch:watches;
    wolf:wolves;story:stories;potato:potatoes;tomato:tomatoes;person:people;glass:glasses;lady:ladies;table:tables;car:cars;
    bird:birds;apple:apples;dish:dishes;fox:foxes;life:lives;wife:wives;shelf:shelves;penny:pennies;party:parties;brush:brushes"""
)
PASTS = _pairs(
    """go:went;see:saw;eat:ate;run:ran;take:took;give:gave;come:came;write:wrote;drink:drank;sing:sang;swim:swam;buy:bought;
    think:thought;bring:brought;catch:caught;teach:taught;sleep:slept;keep:kept;leave:left;feel:felt;find:found;make:made;
    know:knew;grow:grew;fly:flew;draw:drew;speak:spoke;break:broke;drive:drove;ride:rode;sell:sold;tell:told;walk:walked;
    play:played;jump:jumped;work:worked;begin:began;win:won;lose:lost;build:built"""
)
TRANSLATIONS = _pairs(
    """water:水;fire:火;mountain:山;moon:月亮;sun:太阳;tree:树;flower:花;cat:猫;dog:狗;horse:马;fish:鱼;bird:鸟;book:书;house:房子;
    door:门;car:汽车;rice:米饭;tea:茶;milk:牛奶;bread:面包;apple:苹果;egg:鸡蛋;mother:妈妈;father:爸爸;friend:朋友;teacher:老师;
    student:学生;school:学校;red:红色;blue:蓝色;green:绿色;white:白色;black:黑色;hand:手;eye:眼睛;mouth:嘴;heart:心;rain:雨;
    snow:雪;wind:风;cloud:云;river:河;sea:海;star:星星;city:城市;today:今天;tomorrow:明天;love:爱;money:钱;doctor:医生"""
)
COLOURS = _pairs(
    """snow:white;grass:green;blood:red;coal:black;a lemon:yellow;a banana:yellow;a tomato:red;the sky:blue;milk:white;a carrot:orange;
    a strawberry:red;a frog:green;a crow:black;an elephant:grey;chocolate:brown;a cherry:red;the sea:blue;a polar bear:white;
    a cucumber:green;a pumpkin:orange;salt:white;a spinach leaf:green;a fire truck:red;a swan:white"""
)
COLOURS_ZH = _pairs(
    "雪:白色;草:绿色;血:红色;煤:黑色;香蕉:黄色;柠檬:黄色;番茄:红色;天空:蓝色;牛奶:白色;胡萝卜:橙色;草莓:红色;乌鸦:黑色;大海:蓝色;黄瓜:绿色;巧克力:棕色;盐:白色;樱桃:红色;南瓜:橙色"
)
SOUNDS = _pairs(
    "dog:woof;cat:meow;cow:moo;sheep:baa;duck:quack;pig:oink;lion:roar;bee:buzz;snake:hiss;mouse:squeak;owl:hoot;horse:neigh;wolf:howl;crow:caw;hen:cluck;frog:ribbit;donkey:hee-haw;bird:tweet"
)
SOUNDS_ZH = _pairs("猫:喵;狗:汪;牛:哞;羊:咩;鸭子:嘎;小鸡:叽;青蛙:呱;蜜蜂:嗡;老鼠:吱;狼:嗷")
BABIES = _pairs(
    "dog:puppy;cat:kitten;cow:calf;sheep:lamb;horse:foal;hen:chick;duck:duckling;bear:cub;pig:piglet;goat:kid;deer:fawn;frog:tadpole;goose:gosling;kangaroo:joey;swan:cygnet;lion:cub"
)
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
DAYS_ZH = "星期一 星期二 星期三 星期四 星期五 星期六 星期日".split()
MONTHS_ZH = "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月".split()
LETTERED = (
    "apple bread chair dance eagle flower garden house island jacket kitchen lemon mountain night orange pencil queen river school table"
    " umbrella violin window yellow zebra animal bottle candle doctor engine finger guitar hammer insect jungle kettle ladder market needle"
    " ocean paper rabbit silver tiger uncle village water winter bridge carpet dragon forest glass honey juice knife lamp mirror nest"
    " onion planet ring spoon train wagon"
).split()  # fmt: skip
NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
DIGITS_ZH = "零一二三四五六七八九十"
