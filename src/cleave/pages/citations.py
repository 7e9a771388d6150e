"""How to cite what a run used: BibTeX by what is used, as in "method darts". What has no paper has no entry."""

from __future__ import annotations

from collections.abc import Iterable

PAPERS = {
    "bender2018": """@inproceedings{bender2018understanding,
  title = {Understanding and Simplifying One-Shot Architecture Search},
  author = {Bender, Gabriel and Kindermans, Pieter-Jan and Zoph, Barret and Vasudevan, Vijay and Le, Quoc},
  booktitle = {International Conference on Machine Learning (ICML)},
  year = {2018}
}""",
    "cai2019": """@inproceedings{cai2019proxylessnas,
  title = {{ProxylessNAS}: Direct Neural Architecture Search on Target Task and Hardware},
  author = {Cai, Han and Zhu, Ligeng and Han, Song},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2019}
}""",
    "cai2020": """@inproceedings{cai2020once,
  title = {Once-for-All: Train One Network and Specialize it for Efficient Deployment},
  author = {Cai, Han and Gan, Chuang and Wang, Tianzhe and Zhang, Zhekai and Han, Song},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2020}
}""",
    "chen2021": """@inproceedings{chen2021drnas,
  title = {{DrNAS}: {Dirichlet} Neural Architecture Search},
  author = {Chen, Xiangning and Wang, Ruochen and Cheng, Minhao and Tang, Xiaocheng and Hsieh, Cho-Jui},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2021}
}""",
    "chrabaszcz2017": """@article{chrabaszcz2017downsampled,
  title = {A Downsampled Variant of {ImageNet} as an Alternative to the {CIFAR} Datasets},
  author = {Chrabaszcz, Patryk and Loshchilov, Ilya and Hutter, Frank},
  journal = {arXiv preprint arXiv:1707.08819},
  year = {2017}
}""",
    "chu2021": """@inproceedings{chu2021fairnas,
  title = {{FairNAS}: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search},
  author = {Chu, Xiangxiang and Zhang, Bo and Xu, Ruijun},
  booktitle = {IEEE/CVF International Conference on Computer Vision (ICCV)},
  year = {2021}
}""",
    "deng2009": """@inproceedings{deng2009imagenet,
  title = {{ImageNet}: A Large-Scale Hierarchical Image Database},
  author = {Deng, Jia and Dong, Wei and Socher, Richard and Li, Li-Jia and Li, Kai and Fei-Fei, Li},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2009}
}""",
    "dong2019": """@inproceedings{dong2019searching,
  title = {Searching for a Robust Neural Architecture in Four {GPU} Hours},
  author = {Dong, Xuanyi and Yang, Yi},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2019}
}""",
    "dong2020": """@inproceedings{dong2020nasbench201,
  title = {{NAS-Bench-201}: Extending the Scope of Reproducible Neural Architecture Search},
  author = {Dong, Xuanyi and Yang, Yi},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2020}
}""",
    "gong2022": """@inproceedings{gong2022nasvit,
  title = {{NASViT}: Neural Architecture Search for Efficient Vision Transformers with Gradient Conflict aware Supernet
    Training},
  author = {Gong, Chengyue and Wang, Dilin and Li, Meng and Chen, Xinlei and Yan, Zhicheng and Tian, Yuandong and
    Liu, Qiang and Chandra, Vikas},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2022}
}""",
    "howard2019": """@inproceedings{howard2019searching,
  title = {Searching for {MobileNetV3}},
  author = {Howard, Andrew and Sandler, Mark and Chu, Grace and Chen, Liang-Chieh and Chen, Bo and Tan, Mingxing and
    Wang, Weijun and Zhu, Yukun and Pang, Ruoming and Vasudevan, Vijay and Le, Quoc V. and Adam, Hartwig},
  booktitle = {IEEE/CVF International Conference on Computer Vision (ICCV)},
  year = {2019}
}""",
    "he2023": """@inproceedings{he2023naslid,
  title = {{NAS-LID}: Efficient Neural Architecture Search with Local Intrinsic Dimension},
  author = {He, Xin and Yao, Jiangchao and Wang, Yuxin and Tang, Zhenheng and Cheung, Ka Chun and See, Simon and
    Han, Bo and Chu, Xiaowen},
  booktitle = {AAAI Conference on Artificial Intelligence},
  year = {2023}
}""",
    "hu2022": """@inproceedings{hu2022generalizing,
  title = {Generalizing Few-Shot {NAS} with Gradient Matching},
  author = {Hu, Shoukang and Wang, Ruochen and Hong, Lanqing and Li, Zhenguo and Hsieh, Cho-Jui and Feng, Jiashi},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2022}
}""",
    "jamieson2016": """@inproceedings{jamieson2016non,
  title = {Non-stochastic Best Arm Identification and Hyperparameter Optimization},
  author = {Jamieson, Kevin and Talwalkar, Ameet},
  booktitle = {International Conference on Artificial Intelligence and Statistics (AISTATS)},
  year = {2016}
}""",
    "jeon2025": """@inproceedings{jeon2025subnet,
  title = {Subnet-Aware Dynamic Supernet Training for Neural Architecture Search},
  author = {Jeon, Jeimin and Oh, Youngmin and Lee, Junghyup and Baek, Donghyeon and Kim, Dohyung and Eom, Chanho and
    Ham, Bumsub},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2025}
}""",
    "krizhevsky2009": """@techreport{krizhevsky2009learning,
  title = {Learning Multiple Layers of Features from Tiny Images},
  author = {Krizhevsky, Alex},
  institution = {University of Toronto},
  year = {2009}
}""",
    "li2019": """@inproceedings{li2019random,
  title = {Random Search and Reproducibility for Neural Architecture Search},
  author = {Li, Liam and Talwalkar, Ameet},
  booktitle = {Conference on Uncertainty in Artificial Intelligence (UAI)},
  year = {2019}
}""",
    "liu2019": """@inproceedings{liu2019darts,
  title = {{DARTS}: Differentiable Architecture Search},
  author = {Liu, Hanxiao and Simonyan, Karen and Yang, Yiming},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2019}
}""",
    "lu2023": """@inproceedings{lu2023pada,
  title = {{PA\\&DA}: Jointly Sampling Path and Data for Consistent {NAS}},
  author = {Lu, Shun and Hu, Yu and Yang, Longxing and Sun, Zihao and Mei, Jilin and Tan, Jianchao and Song, Chengru},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2023}
}""",
    "lymanson2024": """@inproceedings{lymanson2024analyzing,
  title = {Analyzing Few-Shot Neural Architecture Search in a Metric-Driven Framework},
  author = {Ly-Manson, Timot{\\'e}e and L{\\'e}onardon, Mathieu and Aissa El Bey, Abdeldjalil and
    Boukli Hacene, Ghouthi and Mauch, Lukas},
  booktitle = {International Conference on Automated Machine Learning (AutoML)},
  year = {2024}
}""",
    "mcnemar1947": """@article{mcnemar1947note,
  title = {Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages},
  author = {McNemar, Quinn},
  journal = {Psychometrika},
  volume = {12},
  number = {2},
  pages = {153--157},
  year = {1947}
}""",
    "oh2025": """@inproceedings{oh2025efficient,
  title = {Efficient Few-Shot Neural Architecture Search by Counting the Number of Nonlinear Functions},
  author = {Oh, Youngmin and Lee, Hyunju and Ham, Bumsub},
  booktitle = {AAAI Conference on Artificial Intelligence},
  year = {2025}
}""",
    "roshtkhari2025": """@article{roshtkhari2025neural,
  title = {Neural Architecture Search by Learning a Hierarchical Search Space},
  author = {Roshtkhari, Mehraveh Javan and Toews, Matthew and Pedersoli, Marco},
  journal = {arXiv preprint arXiv:2503.21061},
  year = {2025}
}""",
    "wightman2019": """@misc{wightman2019timm,
  title = {{PyTorch} Image Models},
  author = {Wightman, Ross},
  howpublished = {GitHub repository},
  year = {2019}
}""",
    "xiao2017": """@article{xiao2017fashion,
  title = {{Fashion-MNIST}: a Novel Image Dataset for Benchmarking Machine Learning Algorithms},
  author = {Xiao, Han and Rasul, Kashif and Vollgraf, Roland},
  journal = {arXiv preprint arXiv:1708.07747},
  year = {2017}
}""",
    "xie2019": """@inproceedings{xie2019snas,
  title = {{SNAS}: Stochastic Neural Architecture Search},
  author = {Xie, Sirui and Zheng, Hehui and Liu, Chunxiao and Lin, Liang},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year = {2019}
}""",
    "xu2022": """@inproceedings{xu2022analyzing,
  title = {Analyzing and Mitigating Interference in Neural Architecture Search},
  author = {Xu, Jin and Tan, Xu and Song, Kaitao and Luo, Renqian and Leng, Yichong and Qin, Tao and Liu, Tie-Yan and
    Li, Jian},
  booktitle = {International Conference on Machine Learning (ICML)},
  year = {2022}
}""",
    "yu2019": """@inproceedings{yu2019universally,
  title = {Universally Slimmable Networks and Improved Training Techniques},
  author = {Yu, Jiahui and Huang, Thomas},
  booktitle = {IEEE/CVF International Conference on Computer Vision (ICCV)},
  year = {2019}
}""",
    "yu2020": """@inproceedings{yu2020bignas,
  title = {{BigNAS}: Scaling up Neural Architecture Search with Big Single-Stage Models},
  author = {Yu, Jiahui and Jin, Pengchong and Liu, Hanxiao and Bender, Gabriel and Kindermans, Pieter-Jan and
    Tan, Mingxing and Huang, Thomas and Song, Xiaodan and Pang, Ruoming and Le, Quoc},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year = {2020}
}""",
    "yu2020surgery": """@inproceedings{yu2020gradient,
  title = {Gradient Surgery for Multi-Task Learning},
  author = {Yu, Tianhe and Kumar, Saurabh and Gupta, Abhishek and Levine, Sergey and Hausman, Karol and Finn, Chelsea},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year = {2020}
}""",
    "zhang2020": """@article{zhang2020deeper,
  title = {Deeper Insights into Weight Sharing in Neural Architecture Search},
  author = {Zhang, Yuge and Lin, Zejun and Jiang, Junyang and Zhang, Quanlu and Wang, Yujing and Xue, Hui and
    Zhang, Chen and Yang, Yaming},
  journal = {arXiv preprint arXiv:2001.01431},
  year = {2020}
}""",
    "zhao2021": """@inproceedings{zhao2021few,
  title = {Few-Shot Neural Architecture Search},
  author = {Zhao, Yiyang and Wang, Linnan and Tian, Yuandong and Fonseca, Rodrigo and Guo, Tian},
  booktitle = {International Conference on Machine Learning (ICML)},
  year = {2021}
}""",
}

CITED: dict[str, tuple[str, ...]] = {}
"""BibTeX entries by what is used."""


def cite(used: str, *bibtex: str) -> None:
    """Has a page of whatever uses this, as in "method mine", list these entries."""
    CITED[used] = bibtex


def entries(used: Iterable[str]) -> list[str]:
    """The entries of all that was used, each once."""
    return list(dict.fromkeys(entry for each in used for entry in CITED.get(each, ())))


OWN = {
    "method darts": ("liu2019",),
    "method darts2": ("liu2019",),
    "method snas": ("xie2019",),
    "method gdas": ("dong2019",),
    "method drnas": ("chen2021",),
    "method proxyless": ("cai2019",),
    "method rsps": ("li2019",),
    "method random": ("li2019",),
    "method sandwich": ("yu2019", "yu2020"),
    "method subnets": ("yu2020",),
    "method shrinking": ("cai2020",),
    "sampler balanced": ("oh2025",),
    "sampler fair": ("chu2021",),
    "sampler importance": ("lu2023",),
    "sampler one-change": ("xu2022",),
    "hook complexity-rate": ("jeon2025",),
    "hook momentum-separation": ("jeon2025",),
    "hook gradient-projection": ("yu2020surgery", "gong2022"),
    "splitter none": ("bender2018",),
    "splitter exhaustive": ("zhao2021",),
    "splitter random": ("hu2022",),
    "splitter gradient": ("hu2022",),
    "splitter output": ("roshtkhari2025",),
    "splitter metric": ("lymanson2024",),
    "splitter nonlinearity": ("oh2025",),
    "splitter weight-copies": ("oh2025",),
    "splitter dimension": ("he2023",),
    "splitter parametric": ("hu2022",),
    "selection halving": ("jamieson2016", "hu2022"),
    "space nasbench201": ("dong2020",),
    "space cells64": ("zhang2020",),
    "space darts": ("liu2019",),
    "space mobilenet-proxyless": ("cai2019",),
    "space mobilenet-ofa": ("cai2020", "howard2019"),
    "space timm": ("wightman2019",),
    "data bundled": ("xiao2017",),
    "data fashion-mnist": ("xiao2017",),
    "data cifar10": ("krizhevsky2009",),
    "data cifar100": ("krizhevsky2009",),
    "data imagenet16-120": ("chrabaszcz2017",),
    "data imagenet-1k": ("deng2009",),
    "study deeper-insights": ("zhang2020",),
    "test mcnemar": ("mcnemar1947",),
}
for _used, _papers in OWN.items():
    cite(_used, *(PAPERS[paper] for paper in _papers))
