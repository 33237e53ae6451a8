"""Questions of our own for paragraphs of XQuAD, which say it in other words: as somebody asks who has not read them.

XQuAD's were written with the paragraph in view and share words with it, which makes refusing look easier than it is.
One question a paragraph, in three languages; ``ASKED`` maps the paragraph's place in the set to them.
"""

from typing import NamedTuple


class Asked(NamedTuple):
    """The same question in English, Spanish and Chinese."""

    en: str
    es: str
    zh: str


ASKED = {
    6: Asked(
        "Why did the capital's smaller football team fall into lower divisions?",
        "¿Por qué bajó de división el equipo de fútbol más modesto de la capital?",
        "首都那支较小的足球队为什么会降级？",
    ),
    12: Asked(
        "Whom did these northern soldiers of fortune fight for once they had reached the Mediterranean?",
        "¿Para quién combatían esos guerreros a sueldo del norte cuando llegaron al Mediterráneo?",
        "这些来自北方的雇佣兵到了地中海以后为谁打仗？",
    ),
    18: Asked(
        "Did either of the two rival inventors ever get a Nobel?",
        "¿Alguno de los dos inventores rivales llegó a ganar un Nobel?",
        "那两位互相竞争的发明家有谁得过诺贝尔奖吗？",
    ),
    24: Asked(
        "Do we know for sure that some kinds of computing problems are really harder than others?",
        "¿Se sabe con certeza que unos problemas de cálculo son de verdad más difíciles que otros?",
        "我们能确定某些计算问题真的比别的更难吗？",
    ),
    25: Asked(
        "Are American teachers still allowed to hit the children they teach?",
        "¿Todavía pueden pegar los maestros a los niños en Norteamérica?",
        "美国的老师现在还可以打学生吗？",
    ),
    31: Asked(
        "What did the reformer think about telling your sins to a priest?",
        "¿Qué pensaba el reformador de contar los pecados a un sacerdote?",
        "那位改革家怎么看待向神父认罪？",
    ),
    37: Asked(
        "Where can I catch a plane around LA?",
        "¿Desde dónde puedo tomar un avión cerca de LA?",
        "在洛杉矶一带可以去哪里坐飞机？",
    ),
    43: Asked(
        "How could watching football on TV show that a mum has a partner?",
        "¿Cómo delataría ver partidos en la tele que una mamá tiene pareja?",
        "看体育频道怎么会暴露一位妈妈有伴侣？",
    ),
    49: Asked(
        "When did white people begin to live near where Melbourne is now, and who were they?",
        "¿Cuándo empezaron a vivir blancos cerca de lo que hoy es Melbourne y quiénes eran?",
        "白人什么时候开始住在今天墨尔本附近，他们是什么人？",
    ),
    50: Asked(
        "Which king made life impossible for Calvinists so that they left the country?",
        "¿Qué rey hizo la vida imposible a los calvinistas hasta que se marcharon?",
        "哪位国王让加尔文教徒无法生活下去、只好离开？",
    ),
    56: Asked(
        "Which gadget shows how well such a machine is working?",
        "¿Qué aparato muestra si una máquina así trabaja bien?",
        "用什么装置能看出这种机器工作得好不好？",
    ),
    62: Asked(
        "How can old seashells tell scientists about past temperatures?",
        "¿Cómo pueden unas conchas antiguas decir a los científicos qué tiempo hacía?",
        "科学家怎么靠古老的海贝知道过去有多冷？",
    ),
    68: Asked(
        "Did the shortage of petrol make politicians plan sensibly?",
        "¿La escasez de gasolina llevó a los políticos a planear con sensatez?",
        "缺油以后政治家们做出了明智的规划吗？",
    ),
    74: Asked(
        "What did they do to make the old film of the first moonwalk look nicer?",
        "¿Qué hicieron para que se viera mejor la vieja película del primer paseo por la luna?",
        "为了让第一次月球漫步的旧影像更好看，人们做了什么？",
    ),
    75: Asked(
        "Which agreements is Brussels built on?",
        "¿En qué acuerdos se apoya Bruselas?",
        "布鲁塞尔的权力建立在哪些协议上？",
    ),
    81: Asked(
        "Why are so many trees being cut down in South America?",
        "¿Por qué talan tantos árboles en Sudamérica?",
        "南美洲为什么砍掉那么多树？",
    ),
    87: Asked(
        "How do comb jellies swim?",
        "¿Cómo nadan las nueces de mar?",
        "栉板动物是怎么游动的？",
    ),
    93: Asked(
        "Which road do I take by car to get to the big national parks from there?",
        "¿Por dónde voy en coche desde allí a los grandes parques?",
        "从那里开车去大公园要走哪条路？",
    ),
    99: Asked(
        "Who built a faster web just for universities?",
        "¿Quién construyó una red más rápida solo para las universidades?",
        "谁为大学建了一个更快的网？",
    ),
    100: Asked(
        "What did doctors back then believe made everyone so sick?",
        "¿Qué creían los médicos de entonces que enfermaba a todos?",
        "那时的医生认为是什么让大家生病？",
    ),
    106: Asked(
        "How can you tell the age of a layer of stone from the remains of creatures in it?",
        "¿Cómo se sabe la edad de una capa de piedra por los restos de seres que guarda?",
        "怎样凭里面的生物遗骸判断石层的年代？",
    ),
    118: Asked(
        "What happened to the old violins and pianos once their room was shut?",
        "¿Qué pasó con los violines y pianos viejos cuando cerraron su sala?",
        "展厅关了以后那些旧提琴和钢琴怎么办了？",
    ),
    124: Asked(
        "What did people love to watch on that channel forty years ago?",
        "¿Qué le encantaba ver a la gente en esa cadena hace cuarenta años?",
        "四十年前大家爱看那家电视台的什么节目？",
    ),
    125: Asked(
        "Why was it unclear who the father of the conqueror's eldest boy was?",
        "¿Por qué no estaba claro quién era el padre del hijo mayor del conquistador?",
        "为什么那位征服者大儿子的生父是谁说不清？",
    ),
    131: Asked(
        "What did Arab scholars contribute to making drugs?",
        "¿Qué aportaron los sabios árabes a la fabricación de remedios?",
        "阿拉伯学者对制药有什么贡献？",
    ),
    137: Asked(
        "Why does the body's defence work differently at night?",
        "¿Por qué las defensas del cuerpo trabajan de otro modo por la noche?",
        "为什么身体的防御在夜里不一样？",
    ),
    143: Asked(
        "Why would a protester be willing to go to jail?",
        "¿Por qué estaría un manifestante dispuesto a ir a la cárcel?",
        "抗议的人为什么愿意去坐牢？",
    ),
    149: Asked(
        "May I put up a factory next to people's homes?",
        "¿Puedo levantar una fábrica al lado de casas?",
        "我可以在住宅旁边盖工厂吗？",
    ),
    150: Asked(
        "Who pays for those German colleges that teach a trade outside the state system?",
        "¿Quién paga esas escuelas alemanas donde se aprende un oficio al margen del Estado?",
        "德国那些体制外教手艺的学校由谁出钱？",
    ),
    156: Asked(
        "How do students walk across the water to the stadium?",
        "¿Cómo cruzan a pie el agua los estudiantes hasta el estadio?",
        "学生怎么走过河去体育场？",
    ),
    162: Asked(
        "Which Europeans came to northern Florida before everybody else, and who chased them off?",
        "¿Qué europeos llegaron antes que nadie al norte de Florida y quién los echó?",
        "哪些欧洲人最早到佛罗里达北部，又被谁赶走？",
    ),
    168: Asked(
        "Can a gap between rich and poor make a country grow faster?",
        "¿Puede la brecha entre ricos y pobres hacer que un país crezca más deprisa?",
        "贫富差距会让一个国家发展得更快吗？",
    ),
    174: Asked(
        "Can you see the time traveller live in a theatre?",
        "¿Se puede ver al viajero del tiempo en un teatro?",
        "能在剧院里看到那位时间旅行者吗？",
    ),
    175: Asked(
        "What do the oldest houses of the college look like, and who drew them?",
        "¿Cómo son las casas más viejas de esa institución y quién las dibujó?",
        "那所学校最老的房子是什么样子，是谁画的图？",
    ),
    181: Asked(
        "How did the young Mongol ruler of China die?",
        "¿Cómo murió el joven soberano mongol de China?",
        "那位统治中国的年轻蒙古君主是怎么死的？",
    ),
    187: Asked(
        "Why did America's leader first stay away from Nairobi?",
        "¿Por qué el líder norteamericano no quiso ir al principio a Nairobi?",
        "美国领导人起初为什么不去内罗毕？",
    ),
    193: Asked(
        "Which famous curve showed how warm it was in past centuries?",
        "¿Qué curva famosa mostraba el calor que hizo en siglos pasados?",
        "哪条有名的曲线显示了过去几百年有多热？",
    ),
    199: Asked(
        "Where do the two skins around the green part of a plant cell come from?",
        "¿De dónde vienen las dos pieles que rodean la parte verde de una célula?",
        "植物细胞里绿色部分的两层皮是从哪里来的？",
    ),
    200: Asked(
        "Which figures cannot be split evenly by anything smaller?",
        "¿Qué cifras no se dejan repartir por igual entre nada menor?",
        "什么样的数不能被更小的数除尽？",
    ),
    206: Asked(
        "What is the right name for the place where the big river meets the Dutch coast?",
        "¿Cuál es el nombre correcto del sitio donde el gran río llega a la costa holandesa?",
        "那条大河流到荷兰海边的地方正确的叫法是什么？",
    ),
    212: Asked(
        "Who in Edinburgh checks a law that a company wants passed for its building plans?",
        "¿Quién revisa en Edimburgo una ley que una empresa pide para sus obras?",
        "一家公司为了修建工程想通过法律，在爱丁堡由谁审查？",
    ),
    218: Asked(
        "Where did the preacher who ran Khartoum get his funds?",
        "¿De dónde sacaba el dinero el clérigo que mandaba en Jartum?",
        "掌控喀土穆的那位教士的钱从哪里来？",
    ),
    224: Asked(
        "When did Paris start to take lands overseas again?",
        "¿Cuándo volvió París a apoderarse de tierras de ultramar?",
        "巴黎什么时候又开始占领海外的土地？",
    ),
    225: Asked(
        "Why were the brothers and their friends laughed at by fellow undergraduates?",
        "¿Por qué se reían los compañeros de los dos hermanos y sus amigos?",
        "那对兄弟和朋友们为什么被同学嘲笑？",
    ),
    231: Asked(
        "Were there more people from England or from France in the New World?",
        "¿Había más gente de Inglaterra o de Francia en el Nuevo Mundo?",
        "在新大陆，英格兰来的人多还是法兰西来的人多？",
    ),
    237: Asked(
        "According to Einstein, why do things fall?",
        "Según Einstein, ¿por qué se caen las cosas?",
        "照爱因斯坦的说法，东西为什么会掉下来？",
    ),
}
