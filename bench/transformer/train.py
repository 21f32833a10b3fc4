# Trains the transformer of this folder; alphabet.json, train.txt and test.txt as README.md says.
import torch,json,math,sys,time
import torch.nn as nn, torch.nn.functional as F
torch.set_num_threads(1); torch.manual_seed(1)
A=json.load(open('alphabet.json'))
ids=lambda f: torch.tensor([A.index(c) for c in open(f).read()])
tr,te=ids('train.txt'),ids('test.txt')
T,D,H,L,V=64,64,4,4,65
class Block(nn.Module):
    def __init__(s):
        super().__init__()
        s.n1=nn.LayerNorm(D); s.qkv=nn.Linear(D,3*D); s.proj=nn.Linear(D,D); s.n2=nn.LayerNorm(D); s.up=nn.Linear(D,4*D); s.down=nn.Linear(4*D,D)
    def forward(s,x):
        B,T,_=x.shape
        q,k,v=(t.view(B,T,H,D//H).transpose(1,2) for t in s.qkv(s.n1(x)).split(D,2))
        y=F.scaled_dot_product_attention(q,k,v,is_causal=True).transpose(1,2).reshape(B,T,D)
        x=x+s.proj(y)
        return x+s.down(F.gelu(s.up(s.n2(x))))
class GPT(nn.Module):
    def __init__(s):
        super().__init__()
        s.tok=nn.Embedding(V,D); s.pos=nn.Parameter(torch.randn(T,D)*0.02); s.blocks=nn.ModuleList(Block() for _ in range(L)); s.norm=nn.LayerNorm(D); s.head=nn.Linear(D,V,bias=False)
        for m in s.modules():
            if isinstance(m,(nn.Linear,nn.Embedding)): nn.init.normal_(m.weight,std=0.02)
            if isinstance(m,nn.Linear) and m.bias is not None: nn.init.zeros_(m.bias)
        for b in s.blocks:
            for w in (b.proj.weight,b.down.weight): nn.init.normal_(w,std=0.02/math.sqrt(2*L))
    def forward(s,i):
        x=s.tok(i)+s.pos
        for b in s.blocks: x=b(x)
        return s.head(s.norm(x))
if __name__=='__main__':
    steps=int(sys.argv[1]) if len(sys.argv)>1 else 4000
    m=GPT(); print(sum(p.numel() for p in m.parameters()))
    wd=[p for p in m.parameters() if p.dim()>1]; nw=[p for p in m.parameters() if p.dim()<=1]
    lr=3e-3
    opt=torch.optim.AdamW([{'params':wd,'weight_decay':0.1},{'params':nw,'weight_decay':0.0}],lr=lr,betas=(0.9,0.99))
    t0=time.time()
    for it in range(steps):
        r=lr*min(1,(it+1)/100)*(0.5*(1+math.cos(math.pi*it/steps))*0.95+0.05)
        for g in opt.param_groups: g['lr']=r
        o=torch.randint(0,len(tr)-T-1,(32,)); x=torch.stack([tr[i:i+T] for i in o]); y=torch.stack([tr[i+1:i+T+1] for i in o])
        loss=F.cross_entropy(m(x).view(-1,V),y.view(-1)); opt.zero_grad(); loss.backward(); nn.utils.clip_grad_norm_(m.parameters(),1.0); opt.step()
        if it%200==0 or it==steps-1:
            with torch.no_grad():
                o=range(0,len(te)-T-1,T); xs=torch.stack([te[i:i+T] for i in o][:128]); ys=torch.stack([te[i+1:i+T+1] for i in o][:128])
                lg=m(xs); v=F.cross_entropy(lg.view(-1,V),ys.view(-1)); acc=(lg.argmax(-1)==ys).float().mean()
            print(it,round(loss.item(),3),'val',round(v.item(),3),'acc',round(acc.item(),3),round(time.time()-t0),flush=True)
            torch.save(m.state_dict(),'model.pt')
    print('done')
