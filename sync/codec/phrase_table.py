"""Rows of the phrase book: number | Chinese | English."""

from __future__ import annotations

from typing import Final

TABLE: Final = """
101 | 前往{} | proceed to {}
102 | 立即返回 | return at once
103 | 原地待命 | hold your position
104 | 继续搜索 | continue the search
105 | 停止作业 | stop work
106 | 到{}集合 | assemble at {}
107 | 支援{} | support {}
108 | 搜索{} | search {}
109 | 打通{}道路 | clear the road at {}
110 | 转运伤员到{} | take the casualties to {}
111 | 转移群众到{} | move the residents to {}
112 | 每{}分钟报告一次 | report every {} minutes
113 | 报告你的位置 | report your position
114 | 报告人数 | report your headcount
115 | 报告现场情况 | report the situation
116 | 派{}人支援{} | send {} people to support {}
117 | 接替{} | relieve {}
118 | 设置警戒 | set up a cordon
119 | 封控{} | close off {}
120 | 撤回{}休整 | withdraw to {} and rest
121 | 做好撤离准备 | be ready to evacuate
122 | 保持静默,听生命迹象 | keep silent, listen for signs of life
123 | 使用无人机侦察{} | reconnoitre {} by drone
124 | 建立通信中继点 | set up a relay point
125 | 开设指挥所 | open a command post
126 | 开设安置点 | open a shelter
127 | 开辟直升机起降场 | prepare a helicopter landing site
128 | 取消上一命令 | cancel the last order
129 | 按计划执行 | proceed as planned
130 | 注意安全 | take care
131 | 天黑前返回 | be back before dark
132 | 加强巡查 | patrol more often
133 | 轮换休息 | rest in turns
134 | 核实人数后报告 | verify the numbers and report
135 | 与{}会合 | join up with {}
201 | 已到达{} | arrived at {}
202 | 已出发 | on our way
203 | 正在返回 | returning
204 | 任务完成 | task done
205 | 搜索完毕,未发现人员 | search complete, nobody found
206 | 发现幸存者{}人 | {} survivors found
207 | 救出{}人 | {} rescued
208 | 发现遇难者{}人 | {} bodies found
209 | 被困{}人 | {} trapped
210 | 失联{}人 | {} missing
211 | 已转移{}人 | {} evacuated
212 | 道路中断 | road cut
213 | 桥梁垮塌 | bridge collapsed
214 | 房屋倒塌{}间 | {} rooms collapsed
215 | 电力中断 | power is out
216 | 通信中断 | communications are out
217 | 供水中断 | water supply is out
218 | 需要支援 | support needed
219 | 需要大型机械 | heavy machinery needed
220 | 人员安全 | everyone is safe
221 | 人员齐全,{}人 | all {} accounted for
222 | 缺{}人 | {} not accounted for
223 | 道路已打通 | road is open
224 | 车辆无法通行 | impassable for vehicles
225 | 只能徒步进入 | on foot only
226 | 现场平稳 | situation stable
227 | 情况正在恶化 | situation getting worse
228 | 继续作业 | work continues
229 | 预计{}分钟到达 | arriving in {} minutes
230 | 预计{}小时完成 | done in {} hours
231 | 无法完成,请指示 | cannot do it, please advise
232 | 发现生命迹象 | signs of life detected
233 | 天气转坏 | weather getting worse
234 | 能见度低 | poor visibility
235 | 群众情绪稳定 | residents are calm
301 | 立即撤离 | evacuate at once
302 | 撤离到{} | evacuate to {}
303 | 撤离完毕,{}人 | evacuation complete, {} people
304 | 拒绝撤离{}人 | {} refuse to leave
305 | 余震,立即撤出 | aftershock, get out now
306 | 水位上涨,立即撤离 | water rising, evacuate now
307 | 山体滑坡 | landslide
308 | 泥石流 | debris flow
309 | 有二次垮塌危险 | danger of further collapse
310 | 落石危险 | danger of rockfall
311 | 水位超警戒 | water above warning level
312 | 堤坝出现险情 | dam or dyke in danger
313 | 堰塞湖风险 | risk of a landslide lake bursting
314 | 有毒气体,撤到上风向 | toxic gas, withdraw upwind
315 | 可燃气体泄漏 | combustible gas leak
316 | 火势蔓延 | fire is spreading
317 | 高压线落地 | power line down
318 | 危险解除 | danger over
319 | 禁止进入{} | do not enter {}
320 | 向高处转移 | move to high ground
321 | 水位{}米 | water level {} m
322 | 一小时降雨{}毫米 | {} mm of rain in one hour
401 | 请求医疗支援 | medical support needed
402 | 重伤{}人 | {} seriously hurt
403 | 轻伤{}人 | {} slightly hurt
404 | 红{}黄{}绿{}黑{} | red {} yellow {} green {} black {}
405 | 需要担架{}副 | {} stretchers needed
406 | 需要直升机后送 | helicopter evacuation needed
407 | 伤员已后送 | casualty evacuated
408 | 队员受伤 | team member hurt
409 | 队员中暑 | team member has heat stroke
410 | 队员失温 | team member has hypothermia
411 | 伤员无意识 | casualty unconscious
412 | 伤员大出血 | casualty bleeding heavily
413 | 正在心肺复苏 | CPR in progress
414 | 需要血浆 | plasma needed
415 | 需要氧气 | oxygen needed
416 | 孕妇需要转运 | pregnant woman to be moved
417 | 透析患者需要转运 | dialysis patient to be moved
418 | 救护车到{} | ambulance to {}
419 | 伤情稳定 | condition stable
420 | 伤情恶化 | condition getting worse
501 | 需要饮用水 | drinking water needed
502 | 需要食品 | food needed
503 | 需要帐篷{}顶 | {} tents needed
504 | 需要棉被{}床 | {} quilts needed
505 | 需要发电机 | generator needed
506 | 需要汽油{}升 | {} litres of petrol needed
507 | 需要柴油{}升 | {} litres of diesel needed
508 | 需要药品 | medicine needed
509 | 需要冲锋舟{}艘 | {} boats needed
510 | 需要救生衣{}件 | {} life jackets needed
511 | 物资已收到 | supplies received
512 | 物资不足 | supplies running short
513 | 电池不足 | battery low
514 | 改用北斗短报文 | use BeiDou messages
515 | 改用对讲机 | use the voice radio
516 | 改到{}信道 | switch to channel {}
517 | 信号差 | weak signal
518 | 链路恢复 | link restored
519 | 中继已架设 | relay is up
520 | 派人送信 | send a messenger
521 | 氧气瓶余{}分钟 | {} minutes of air left
522 | 需要照明 | lights needed
523 | 需要挖掘机{}台 | {} excavators needed
524 | 需要生命探测仪 | life detector needed
525 | 需要搜救犬 | search dogs needed
601 | 收到 | received
602 | 明白 | understood
603 | 执行中 | doing it
604 | 无法执行 | cannot comply
605 | 请重复 | say again
606 | 请确认 | please confirm
607 | 确认 | confirmed
608 | 否定 | negative
609 | 请稍候 | wait
610 | 平安 | safe
611 | 求救 | SOS
612 | 误报,已取消 | false alarm, cancelled
613 | 测试 | test
614 | 同意 | agreed
615 | 请示上级 | asking my superiors
"""
