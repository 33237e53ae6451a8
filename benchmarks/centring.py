"""What the vectors of all questions have in common, language by language; made from questions of our own.

    python -m benchmarks.centring

prints ``vectorstore/centring.py`` anew. The questions are about everything and nothing, the same in each language; none
is about a paragraph of a set that quality is judged by.
"""

import base64
import json
import textwrap

import numpy as np

from benchmarks import questions as q
from vectorstore.centring import SCALE
from vectorstore.embedder import Vectors

QUESTIONS = {
    "en": (
        "What is the difference between the two?", "When was the bridge over the bay opened?", "Who wrote this song?",
        "How many people live on the island?", "Why do leaves change colour in autumn?", "Where does the river begin?",
        "Which of these methods is cheaper?", "How is bread made?", "What does this word mean?",
        "Who was elected after the war?", "What are the symptoms of the disease?", "How far is it to the station?",
        "Why was the law changed?", "What did the company sell before that?", "How does a pump work?",
        "Which animals sleep through the winter?",
    ),
    "es": (
        "¿Cuál es la diferencia entre los dos?", "¿Cuándo se abrió el puente sobre la bahía?",
        "¿Quién escribió esta canción?", "¿Cuántas personas viven en la isla?",
        "¿Por qué cambian de color las hojas en otoño?", "¿Dónde nace el río?",
        "¿Cuál de estos métodos es más barato?", "¿Cómo se hace el pan?", "¿Qué significa esta palabra?",
        "¿Quién fue elegido después de la guerra?", "¿Cuáles son los síntomas de la enfermedad?",
        "¿A qué distancia está la estación?", "¿Por qué se cambió la ley?", "¿Qué vendía antes la empresa?",
        "¿Cómo funciona una bomba de agua?", "¿Qué animales duermen durante el invierno?",
    ),
    "zh": (
        "这两者有什么区别？", "海湾上的大桥是什么时候通车的？", "这首歌是谁写的？", "岛上住着多少人？",
        "秋天树叶为什么会变色？", "这条河发源于哪里？", "这些方法中哪一种更便宜？", "面包是怎么做的？",
        "这个词是什么意思？", "战后谁当选了？", "这种病有哪些症状？", "到车站有多远？", "法律为什么修改了？",
        "那家公司以前卖什么？", "水泵是怎样工作的？", "哪些动物会冬眠？",
    ),
    "ar": (
        "ما الفرق بين الاثنين؟", "متى افتتح الجسر فوق الخليج؟", "من كتب هذه الأغنية؟", "كم عدد سكان الجزيرة؟",
        "لماذا يتغير لون الأوراق في الخريف؟", "أين ينبع النهر؟", "أي من هذه الطرق أرخص؟", "كيف يصنع الخبز؟",
        "ماذا تعني هذه الكلمة؟", "من انتخب بعد الحرب؟", "ما هي أعراض المرض؟", "كم تبعد المحطة؟",
        "لماذا تغير القانون؟", "ماذا كانت الشركة تبيع قبل ذلك؟", "كيف تعمل المضخة؟",
        "ما الحيوانات التي تنام في الشتاء؟",
    ),
    "de": (
        "Was ist der Unterschied zwischen den beiden?", "Wann wurde die Brücke über die Bucht eröffnet?",
        "Wer hat dieses Lied geschrieben?", "Wie viele Menschen leben auf der Insel?",
        "Warum verfärben sich die Blätter im Herbst?", "Wo entspringt der Fluss?",
        "Welches dieser Verfahren ist billiger?", "Wie wird Brot gemacht?", "Was bedeutet dieses Wort?",
        "Wer wurde nach dem Krieg gewählt?", "Was sind die Anzeichen der Krankheit?", "Wie weit ist es zum Bahnhof?",
        "Warum wurde das Gesetz geändert?", "Was hat die Firma vorher verkauft?", "Wie funktioniert eine Pumpe?",
        "Welche Tiere halten Winterschlaf?",
    ),
    "fr": (
        "Quelle est la différence entre les deux ?", "Quand le pont sur la baie a-t-il été ouvert ?",
        "Qui a écrit cette chanson ?", "Combien de personnes vivent sur l'île ?",
        "Pourquoi les feuilles changent-elles de couleur en automne ?", "Où le fleuve prend-il sa source ?",
        "Laquelle de ces méthodes est la moins chère ?", "Comment fait-on le pain ?", "Que veut dire ce mot ?",
        "Qui a été élu après la guerre ?", "Quels sont les symptômes de la maladie ?",
        "À quelle distance est la gare ?",
        "Pourquoi la loi a-t-elle été changée ?", "Que vendait l'entreprise avant cela ?",
        "Comment fonctionne une pompe ?", "Quels animaux dorment en hiver ?",
    ),
    "ru": (
        "В чём разница между ними?", "Когда открыли мост через залив?", "Кто написал эту песню?",
        "Сколько людей живёт на острове?", "Почему осенью листья меняют цвет?", "Где начинается река?",
        "Какой из этих способов дешевле?", "Как делают хлеб?", "Что значит это слово?", "Кого избрали после войны?",
        "Каковы признаки болезни?", "Далеко ли до вокзала?", "Почему изменили закон?", "Что фирма продавала раньше?",
        "Как работает насос?", "Какие животные спят зимой?",
    ),
    "hi": (
        "दोनों में क्या अंतर है?", "खाड़ी पर पुल कब खोला गया?", "यह गीत किसने लिखा?", "द्वीप पर कितने लोग रहते हैं?",
        "पतझड़ में पत्तों का रंग क्यों बदलता है?", "नदी कहाँ से निकलती है?", "इनमें से कौन सा तरीका सस्ता है?",
        "रोटी कैसे बनती है?", "इस शब्द का क्या अर्थ है?", "युद्ध के बाद कौन चुना गया?", "इस रोग के लक्षण क्या हैं?",
        "स्टेशन कितनी दूर है?", "कानून क्यों बदला गया?", "कंपनी पहले क्या बेचती थी?", "पंप कैसे काम करता है?",
        "कौन से जानवर सर्दियों में सोते हैं?",
    ),
    "ja": (
        "この二つの違いは何ですか。", "湾にかかる橋はいつ開通しましたか。", "この歌は誰が書きましたか。",
        "島には何人住んでいますか。", "秋に葉の色が変わるのはなぜですか。", "その川はどこから始まりますか。",
        "この中でどの方法が安いですか。", "パンはどうやって作りますか。", "この言葉はどういう意味ですか。",
        "戦後に選ばれたのは誰ですか。", "その病気の症状は何ですか。", "駅までどのくらいありますか。",
        "法律はなぜ変わったのですか。", "その会社は以前何を売っていましたか。", "ポンプはどのように動きますか。",
        "冬眠する動物は何ですか。",
    ),
    "vi": (
        "Sự khác nhau giữa hai cái là gì?", "Cây cầu qua vịnh được mở khi nào?", "Ai đã viết bài hát này?",
        "Có bao nhiêu người sống trên đảo?", "Vì sao lá đổi màu vào mùa thu?", "Con sông bắt nguồn từ đâu?",
        "Cách nào trong số này rẻ hơn?", "Bánh mì được làm như thế nào?", "Từ này có nghĩa là gì?",
        "Ai được bầu sau chiến tranh?", "Triệu chứng của bệnh là gì?", "Đến nhà ga bao xa?", "Vì sao luật bị thay đổi?",
        "Trước đó công ty bán gì?", "Máy bơm hoạt động như thế nào?", "Những con vật nào ngủ đông?",
    ),
    "tr": (
        "İkisi arasındaki fark nedir?", "Körfezdeki köprü ne zaman açıldı?", "Bu şarkıyı kim yazdı?",
        "Adada kaç kişi yaşıyor?", "Sonbaharda yapraklar neden renk değiştirir?", "Nehir nereden doğar?",
        "Bu yöntemlerden hangisi daha ucuz?", "Ekmek nasıl yapılır?", "Bu kelime ne anlama geliyor?",
        "Savaştan sonra kim seçildi?", "Hastalığın belirtileri nelerdir?", "İstasyon ne kadar uzakta?",
        "Yasa neden değiştirildi?", "Şirket daha önce ne satıyordu?", "Pompa nasıl çalışır?",
        "Hangi hayvanlar kışın uyur?",
    ),
}  # fmt: skip


def measured() -> dict[str | None, Vectors]:
    """Return the mean of the questions' vectors of each language, ``(dim,) float32``, and of all as ``None``."""
    means: dict[str | None, Vectors] = {
        language: q.vectors_of(asked).mean(axis=0) for language, asked in QUESTIONS.items()
    }
    return means | {None: np.mean(list(means.values()), axis=0)}


def main() -> None:
    """Print the table of ``vectorstore/centring.py``."""
    for language, vector in measured().items():
        packed = base64.b64encode(np.rint(vector * SCALE).astype(np.int8).tobytes()).decode()
        lines = "\n".join(f'        "{line}"' for line in textwrap.wrap(packed, 108))
        print(f"    {json.dumps(language) if language else None}: (\n{lines}\n    ),")


if __name__ == "__main__":
    main()
