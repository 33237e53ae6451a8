"""What the vectors of all questions have in common, and a question's vector without it.

Half of what a vector of this model says is that it is a question, and of which language. Chunks that happen to be near
to that came before better ones, most of all in another language: nDCG@10 across languages is 0.88 without it and 0.85
with it (docs/adr/0020-sentence-vectors.md). ``benchmarks/centring.py`` made the table, from questions that are about no
set which anything is measured by.
"""

import base64
import functools

import numpy as np

from vectorstore.embedder import ModelCard, Vectors

SCALE = 900


def centred(vector: Vectors, card: ModelCard, language: str | None) -> Vectors:
    """Return a question's vector, ``(dim,) float32``, less the card's share of what questions have in common.

    That is of its language (ISO 639-1), or of all languages where it has no table of its own. It has no unit length
    afterwards: its products order chunks and mean nothing by themselves.
    """
    if not card.common_weight:
        return vector
    return (vector - card.common_weight * common(language)).astype(np.float32)


@functools.cache
def common(language: str | None) -> Vectors:
    """Return the mean vector of questions in a language, ``(dim,) float32``."""
    packed = base64.b64decode(_COMMON.get(language) or _COMMON[None])
    return np.frombuffer(packed, np.int8).astype(np.float32) / np.float32(SCALE)


# The packaged model's: (384,) int8 each, the mean of 16 questions times 900.
_COMMON: dict[str | None, str] = {
    "en": (
        "NdzWzTDbDx4rCywEKtblHT7f+Lwg99Q0IjAABjLHydQoyi8n0eFCz/chJCYZMugn5+7YNyMvMtfL2OIwG9MaCi8sIiLN9M8rB+UCBBa8C9bG"
        "590i1DIkzUDjMTjEyL/O3yEr6DvtMt7dGS69MNblLjc4z9734B3aPO/CxcrNGzAlBSISGyooN8Xo8/LVMtIhQi5R7TTfJ+Q/KR7kvswgItvR"
        "0OzQ7R0u3+fVGNEoAjLbPjso4ebTvMrO0w8c6u0o1tjRK8UwNC/n8Q8XHg7WJMssNrzFOu7mBC/hICT0J6LSIBzf8Sq+2tG22tvdJhHQ1Nkk"
        "vhjQ4Sn4FzfO4NToIh1F1B356lQ6IiHI69rowikj2tbnDET/5kIoJzUG6OIp1t/52T/vOBwDRuUs3M0KK84TDisVFjEs3OkuKOwd0svT1eTN"
        "IQrC0BkPDuXHNdj15TDZxxci2xrvyyfq2yAzvAYj2xrt3BkjwuMnLClB9/cd1i4y2gjt2eo9ytEUQRgt"
    ),
    "es": (
        "LejYxS3HIBgfDicOLfLYFzre4NYOD8MwKDkEGkPM0c4uvEIu0uQ+ytoNIDYdMNwz2eriOignMcLR2949FfoQGR4oFx7a6uAxAecC/xW4ItXc"
        "1d4i50QrzSv5QjDG0dnM6ykv1TzWItDZGyvOOM7zKSUrxfUGzR/KP+PRyNDHFjAQFygYGzgpMtMG+ebPEsgWHjVQ4zbPB+M2OB3mwuYkLt3O"
        "0+XV1gkr2sPiI9YhAEHXOzQb9uLWwLvI0BMY4/wk1OTYLr8pLTPY5ycXIw7qMMgZMcTONOXoCCnZKBT1M6LrIw7W3xXF+uC04MXyGxjB1OIn"
        "wSTb5jLlGD/D1cbiLhY22R4C6mEzLQ/H7dfw2Ckz5+nfHDz55E8ZMEMG3uQu2Nrx2UbgIhwMOugi/97tENIdBxgXKjoqz+oqHfEsw8+01fPK"
        "MyLTyi8LDOHKN8fi3Sb1yTAi5xTuzS/iyicGtA4e3Bj65igext0uJjYO+d8P0Sgr1wb81dk+zM8pRSUx"
    ),
    "zh": (
        "SvHQ2UvsCBxI/CD9NPrNFzzU7soXF88vPSzeJjbR1cos0kIq1tory+UMM0QVN+cuzfLsLykiCsroxb1DOPoMIDYXMyHg8ug1FdUL/TTnEsi5"
        "0+EY1isq0jH6Lzna0tPb9SU9+EXXAcHYKDzFId7fMiIkt+H/zSbQI9bc78u9HjH0DSgn+hEWP9AD8+fgJcsvHy8/4SzRA+o7LCrq5+QpK87R"
        "xeG9xSMpzdf2FdQWBzjqE08s7/HByrri2w8QAvYpz9veGbsxJSnu1AkLLfrGGtwqJsHKNM3cAC3bFRf3DKv7NSbv5R/E5OO52KL1KB+m/M8I"
        "zCvS4iPwODHF6LTuKS1L4CQU81QzMvzI6tf90iI42dboLFfp3jA0FC4l398g3enl6SzZIREAQ7oh5u0Q/MEoAgIVLUog2+UVJfURxtna4eTF"
        "PhrI1j4f/OjMM87f0CrYyCNG7ynpzhPz5SMKswom2xLu2Swlw9Q1IzQSBwAkvjIuzg/y370x2tIfSC4t"
    ),
    "ar": (
        "KNnWyy7c+hc0GiUFO+zZEy3r+MkdDt8/HSb0ISvTtL4UyD068eQ3t/kJGicmJ+MWzPLcLiMtK9LK2Nk7J+8UDiA1LyXn5d8RC9b05BrKLOXE"
        "3NoL0TQX3yzsPD7F2c7h6w0v1SLXId3NITPDMs7mLCc7zvbvyR3FNezau9/hLiT+DBYbHx4zJ84N/vXfKdMvIDtW5TrSPeo6KyLi5NYiIeyv"
        "3s7W1RFA5czpK94ZBUHNJTUk19/ExcDLygwP8QImysfSH9UyNiPq0xEcMA/YJLkkMNTpTNvpCi7dMx3mCpbhGBXw5yvO7OC4677qNBDH3OMl"
        "tyfr8SoDFTjX0KnmOC1Q0BIU5Gg+Hw/oDNjsvA0t3+jPKknb7UElPSYG8cok5tLy6zrKLfIFQc8d/NQPFMcoBAcQFzgR4+cfFfUovb7T8ujL"
        "KBve3B4SAtjjLdrY5Czp0TEY0BXk3yfwvygGwAUk/Rzw3xsXvdQkMDoT9fAV2zIt0h0Q2dg04OM1Ug8l"
    ),
    "de": (
        "TdPNuzjVDTD+DywMJePMHjLV99EgAdAZMizsLjPTys0yzz8qy+U80/YZIioNOOcl3e3hNCESG87bvtkcJ+8dGyU9GSDO6eEtEef8/BLBCdjE"
        "4eIo1zAr1C0AQkPV0bjO7R0L3zTVFNHfIyTJM9PbODc3yOnz9g3HN+HGydfIHzgQDjn+BSkuL7r18/TVH9YjMThT9CfTFe87KjHY5NQYHPHG"
        "0Oni5yEu2sLmKOEeByfcLEMr5ua7xc3X6BMe5P4k3MTgIMUmMjDn4BMaJQvkIcogM6/oPOfYBTHQHhLhLaHuHhPu7Bu/7dC91cbnJgLP3+Ii"
        "syDW1S3oGzfP0c7mMx9RxhgH6k0/JSHH/+QC2Bo27N7pKkTx2jsuJSwJ3dEY0tjo3jnbQQoHPts1B8oTF9gTAx4RKCQv1OkzJewfxczQ2unE"
        "MCrU3CsMEt3cWNrl1SfR3yY7yyj50DnmwCUUuxAf3xbo1hAjxvwbJDIe9uEPyzQw2hn+xdhE68EtPyMw"
    ),
    "fr": (
        "GuHPwDbMCTAWEzARNPTgGEHY+s8aAsomKyv+JD7Qy9YNzC4n39E1yAAgHCkOONMd0+vgMxQ2HsnT0ecvG/UZDzEqIDLL6N4jC/QJ7RKyHenG"
        "4NYb1S8o0CH4PUfM1NDQ1icr4i/rNe3VIC+9JtPdPB8utO/yzhu7QvDFzc7NEysYBBMYGyosJ8P69/XZL8YbRjtW5C7TMuA5Gh3dwM4eItqx"
        "4+Pi4xdC4trhLcov+k3XSEgg6ujWx8uz1QYY5/wlw9bLG90uLiL14hoYFg7WLMQrM9PVROr2CDDYEC7mLZPaEBbh4xLA8NOz2dfbJg7O4dkv"
        "qSbY5DT0GErdxOXwLyZHxiQK8mNJKSDR89Pv0xVA2NrgHT/k6UIkNTwF3Nsq39IIzUfZLwcPNuEs794EG70vChccLi033MsWH/Iquc/F5OnB"
        "LB/Q2RgODObAPcvt3y7j1yI64RTsyyvz1DEgwQIt4Rjm2xoev/EyLjRC/dMXySwuwgHw79YuxtUzNB8y"
    ),
    "ru": (
        "H+bTyDTPD/wcFjDxJOfcGznm8MUdBt4kKkHlESzey8Mmzjg02/A31NwQNiklOuAi4PPeLxUmDdTO09w5GuwTGBcrNx3Y690ZFer2/gq+F+HL"
        "4doe5j4i2EHwNzPTy6zP6h4k1yrzD77pIivEIs/yNi89wOAK1S3MLd7Suc3KICAPDxEaCxIlMsL+7/ffJtcdJDhC8jbgJ9tLKyvfy80XI+HP"
        "v+3W3gk78Lj3FusmEjr0HkIj7eXDwcDP5QUf+RUq2NTZIrU3HyfV4x0bFRfCKMYhI7XgN9Pf9R7bJCLzFpjuMiH49SHD5u+p56/ZMRG53tQm"
        "yCHd8kXyFybU19L0MiYw0xoU4Gk/LhbU+t3zxiRM7u/bKGTX5jsbKyf/4vYV1tv79kzQMgABONUk5L4OFNMyAB8jIyQi1dIrHPAK3MTR4eHC"
        "Nh3H3iMUCNffOc3y7TXc0ytE1CLn1R/f1Cb/wwQx7yD47gcoxuAiJjcd+tsZ0zc52Sb+1O09074zPwYn"
    ),
    "hi": (
        "QPbTwTDVDRBAEjMJL9nZEDnh4sgZHuhJLUDuDzvLy9AoxzIv2+dNtfMRIzkpJtsf7/jXMiIkMMzYztMnMNwOGiItExrk49YkDt0XCwzCEdTI"
        "3Nsd4Ukrx0viPCTB0tPa4xon2zXlMbPkFDLOOdvqNiQmxOj43hTePOy5z9HiHDsaESwQAys2QcsP8/HQI9gcKjNO8kPIG/0tJR3ny9gWJd7V"
        "0uTS3Rkz1MrlCNouADLlODEc49fFvLDQyBEX/PIozcPeLMo0MRPk3h0SIA/iL8IoMcLNNP3fDSbOHiD3FafiICng5iXD4NXJ78T7IhG0z+sk"
        "uxjT5Cr+JkHG0qvfIBhJyhkQ9lUpLAzG6NHq2iAd2urbF1Dw4EsiKUEG7OAw6dDczy3ZNhsDT+Uo+tkABNkfGSwFFT4m1fQwLt4Sy7fG2fe8"
        "Gxrf2iMj/93PMdXs6CrgxyoU2xrlyS7wvRcWvQQn5Qru4hwdxuAhKB4t7QkO0y4p4RIB2+hK4tskUREk"
    ),
    "ja": (
        "Pdne2jbRFDE+EzQGMRLiIDrM5NQYHdgoLjf3NDDav7cxzTMb3+NM1vURJjsITOMmz/rsPA0eHtDdx7cpNvQRMTodIC3Y4OEh/+kBCh7aGdi8"
        "0tYY3jwwyCjxN0DC3ObXACIq4zbcMcTgEia9KMvkNTow0OAC0yDZOuHDzMfaCiYMCSscCycrM97w5urRFtk3EzZF9jbaIeZENBT11dMaK9XS"
        "0NrhxB0zx8PvLbsj+C3gKkQc5eS0vM/Lzw8k5wMcv8LuE9gsJSXf6CUmJgLNH9IcMdLTNubf/RnRKiz1B6rrLR/e6SLQ7fHJ5rTsMBzA4ucy"
        "xiHS5hr9ETjU1cvjOiE7zRcR+2MoIRm619z12icc09voE1Pmzj4yHD8e7N8p4+Xq3CjVNP0WPN0p29f1GskIBh0bJSQfzegsNucOu8vN2Ou0"
        "JSjH4x8TDM7JRdrJ3znazyUg0RPl0zj0xiAWyAkl3Any8DAq0eIdHjE++vcb1CNC1QL21cwxycc6Ki4v"
    ),
    "vi": (
        "Osja0zvfIBI7FyMDJd7iEz/i7NYTDcspJTn0PEvR1roQ3zk01uM95N4YFj4XKOQ00wDaNxcgLNLj0c86KPsRAy0iISPQ5eMdEOcS/RjRINvU"
        "1cMW6kEs0CD3Oz/C1OjSAx9E0yzOJMnTIS/YMNDpPCUzu/nr7SrPKd3T4dLpACMNHDUfDjEmKtAJ9eLYKdA5IhxJ1TrcE9lEPCTi1M4jKPG6"
        "5dzZzQ81zM3oLcgY+TzeLDsf1uvOqa7PwiAC5AUqyMLOLLwtOSfi7CkUHwvVKdUWOdzKSd3iACrVHjL/D67ZGRfm5R+14OK+487dGBnT4/Is"
        "xDPX2jvrFizCzKf9MCNA3B0Z+VMsGBTR890GvRor2eveF0/04UctJk4Xy9si7tv7vUznORAeQ84p+u0SFdgDBBYSKUgd1MInCe4ctNrI5OvU"
        "Lxjl8BgH/ubKKMrc6RnWxigi1gnjxy7n0h8MtvwY5Rrl9hMhz8ooJhwsAOUaxhs4wgz/4M81zNMlPyoj"
    ),
    "tr": (
        "K8/UwkXHBxQdJTUOJ/DdFULd6eEEFcU2IjznLTXIwbgezTcy1uA90OodLjIqOds33+HaNh0kEtbMzMQwHO4XEzAyLS3p2dgPJdkJDye5JdzX"
        "3tgY1ksr1y7uMEjD28/T4iUu0CnQHMXhFBzUN9zdLSIxvfQE5SjNPOOrztPpISMaECcFAzUxKs8E5OzdFM9CHkJF4y/lLvM3JTLpz9okM9rT"
        "yufZ1is4zMrZIt8ZFE7WMkUY4PXCyMfBxQ4b1/wf37zZI8AtLBv72RgWFv3cKcwrKcDbOurqCS6+JyrkKaj3GiHi8TTT4+G78L3kHg/E1u0u"
        "uDre7zbyGCvO1cPnKzgzxhUL/FkPIRnF7eIG0R4y5ufcJk715x8IPS0V3uYl5dwC3zfKRA0QM/Mn7cwNIdcUAiAAISwqyeAeGegaysDB2vrC"
        "JCro5CMRC93OOdzj6Sroxygf0xv21R/rvSn9rvwZ3xPn8QoV2uIYIBci7eIEzio+1xkJ0/FI3bw3Nioq"
    ),
    None: (
        "NN7VyjfVDhwqEiwGLezbGDrd7s4XDdMvKjTyIjfRyccjzDgt2eI9zO0VJTIbNOAn2vHfNB0lIc/Wz9MyJe4UFioqJCTZ590jDuMF/hnFGdrJ"
        "29kb3Dso0THyOTvJ087T7CAs3TPdIs3cHSzILtPlMyoxw+v62iDONuTJzdDUGSwPDiUVDicqMcv/8u7YI9EpKDRM6TTXH+g8LCPk0dYfJ+DI"
        "0uLW2Bg12MznIdUhBDreLz8i5ebHwMHM0g8X7P4l0M3ZI8cvLibm4RoYIQrXJsojMMXVPOTkBCnVISLwHKLnIhzm6SHF6N+64sHnJhPD3uEm"
        "vSXY5S/zGzbO1cPqLiRC0BsN8FszJhXM8dr2zh8w3+LgH0zs4j4kKzYN4t8k39vz2zzZMwwKP9sn8NcHFc8cBxoTIzQl1uAmIe0bxcrL3uvF"
        "LB7U3CQSCN7QOdPk4Svfzicq2Rrr0CnrzCQQuwYj4xbu5RogyOAlJy0n+OsVzywz0xD82ds71c4rQB8r"
    ),
}
